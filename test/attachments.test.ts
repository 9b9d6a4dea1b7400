import { mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { cleanFilename, keepAttachments } from '../src/attachments.js'
import { attachmentFolder } from '../src/index.js'

const file = (content: string | Uint8Array, more: object = {}) => ({
  contentType: 'text/plain',
  content: Buffer.from(content),
  ...more,
})

describe('an attachment', () => {
  test('stands in the event where nobody keeps it', async () => {
    const { attachments } = await keepAttachments(
      [file('hello', { filename: 'a.txt' })],
      '',
      undefined,
    )
    expect(attachments).toEqual([
      {
        filename: 'a.txt',
        contentType: 'text/plain',
        size: 5,
        content: { kind: 'embedded', base64: 'aGVsbG8=' },
      },
    ])
  })

  test('that is too large for an event is left out, and says so; others are not', async () => {
    const megabyte = Buffer.alloc(1024 * 1024)
    const parts = [file(megabyte), file(Buffer.concat([megabyte, megabyte])), file(megabyte)]
    const { attachments } = await keepAttachments(parts, '', undefined)
    expect(attachments.map(({ size, content }) => [size, content.kind])).toEqual([
      [1_048_576, 'embedded'],
      [2_097_152, 'omitted'],
      [1_048_576, 'embedded'],
    ])
    expect(attachments[1]?.content).toEqual({ kind: 'omitted', reason: 'too-large' })
  })

  test('is one of a hundred at most', async () => {
    const { attachments } = await keepAttachments(Array(102).fill(file('')), '', undefined)
    expect(attachments.filter(({ content }) => content.kind === 'embedded')).toHaveLength(100)
    expect(attachments.at(-1)?.content).toEqual({ kind: 'omitted', reason: 'too-many' })
  })

  test('is kept where it is to be, as a stream, whatever its size', async () => {
    const seen: unknown[] = []
    const large = Buffer.alloc(3 * 1024 * 1024, 'x')
    const { attachments } = await keepAttachments(
      [file(large, { filename: '../a' })],
      '',
      async (content, head) => {
        let pieces = 0
        let bytes = 0
        for await (const piece of content) {
          pieces += 1
          bytes += piece.length
        }
        seen.push([head, pieces > 10, bytes])
        return 's3://bucket/key'
      },
    )
    expect(seen).toEqual([
      [{ filename: 'a', contentType: 'text/plain', size: large.length }, true, large.length],
    ])
    expect(attachments[0]?.content).toEqual({ kind: 'kept', location: 's3://bucket/key' })
  })

  test.each<[string, () => Promise<string>]>([
    ['fails', () => Promise.reject(new Error('disk full'))],
    ['says no place', async () => ''],
  ])('whose keeping %s fails with it, so that the mail comes again', async (_, keep) => {
    await expect(keepAttachments([file('x')], '', keep)).rejects.toThrow(
      'an attachment could not be kept',
    )
  })

  test('that stayed with the provider is told with its address there', async () => {
    const remote = { contentType: 'image/png', size: 7, url: 'https://storage.example/1' }
    const { attachments } = await keepAttachments([remote], '', undefined)
    expect(attachments).toEqual([
      { contentType: 'image/png', size: 7, content: { kind: 'remote', url: remote.url } },
    ])
  })

  test('belongs to the HTML only where that speaks of it', async () => {
    const html = '<img src="cid:logo@x"><img src="cid:with%20space">'
    const parts = ['logo@x', 'with space', 'report', 'logo@x', '__proto__'].map((contentId) =>
      file('', { contentId }),
    )
    const { attachments, inline } = await keepAttachments(parts, html, undefined)
    expect(Object.keys(inline)).toEqual(['logo@x', 'with space'])
    expect(attachments.map(({ contentId }) => contentId)).toEqual(['report', 'logo@x', '__proto__'])
  })

  test.each([
    ['image/PNG; name=x', 'image/png'],
    ['nonsense', 'application/octet-stream'],
    ['text/html\r\nX: y', 'application/octet-stream'],
    ['', 'application/octet-stream'],
  ])('of the type %j is of the type %s', async (contentType, expected) => {
    const { attachments } = await keepAttachments([file('', { contentType })], '', undefined)
    expect(attachments[0]?.contentType).toBe(expected)
  })
})

describe('the name of a file', () => {
  test.each([
    ['report.pdf', 'report.pdf'],
    ['Übersicht 2026.pdf', 'Übersicht 2026.pdf'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Windows\\system.ini', 'system.ini'],
    ['a\0b\r\n.txt', 'a_b__.txt'],
    ['invoice\u202Efdp.exe', 'invoicefdp.exe'],
    ['con', '_'],
    ['.htaccess', 'htaccess'],
    ['...', '_'],
    ['', undefined],
    ['/', undefined],
    [undefined, undefined],
  ])('%j is taken as %j', (given, expected) => {
    expect(cleanFilename(given)).toBe(expected)
  })

  test('is never longer than a file’s may be', () => {
    expect(Buffer.byteLength(cleanFilename('ü'.repeat(5000)) ?? '')).toBeLessThanOrEqual(255)
  })
})

describe('a folder of attachments', () => {
  const head = { contentType: 'a/b', size: 1 }
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailtrail-attachments-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  test('keeps the same content once, under no name of the sender’s', async () => {
    const keep = attachmentFolder(join(folder, 'new'))
    const parts = [
      file('same', { filename: 'a.txt' }),
      file('same', { filename: '../b' }),
      file('other'),
    ]
    const { attachments } = await keepAttachments(parts, '', keep)
    const locations = attachments.map(({ content }) =>
      content.kind === 'kept' ? content.location : '',
    )
    expect(locations[0]).toBe(locations[1])
    expect((await readdir(join(folder, 'new'))).toSorted()).toEqual(
      [...new Set(locations)].map((location) => location.split('/').at(-1)).toSorted(),
    )
    expect(await readFile(locations[0] ?? '', 'utf8')).toBe('same')
    expect(locations[0]).toMatch(/\/[\da-f]{64}$/)
    expect((await stat(locations[0] ?? '')).mode & 0o077).toBe(0)
  })

  test('has the content on disk before its name, and the name before it says where', async () => {
    const steps: string[] = []
    const probe = await open(join(folder, 'probe'), 'w')
    const handles: object = Object.getPrototypeOf(probe)
    await probe.close()
    const sync = jest.spyOn(handles as typeof probe, 'sync').mockImplementation(async function (
      this: typeof probe,
    ) {
      steps.push((await this.stat()).isDirectory() ? 'folder synced' : 'content synced')
      const names = await readdir(join(folder, 'new'))
      steps.push(names.some((name) => !name.startsWith('.')) ? 'named' : 'without a name')
    })
    await attachmentFolder(join(folder, 'new'))(Readable.from(['x']), head)
    sync.mockRestore()
    expect(steps).toEqual(['content synced', 'without a name', 'folder synced', 'named'])
  })

  test.each([
    ['file', 'EIO', 'fails'],
    ['file', 'EINVAL', 'fails'],
    ['folder', 'EIO', 'fails'],
    // As where folders cannot be synced, and need not be.
    ['folder', 'EINVAL', 'is kept'],
  ])('whose %s cannot be synced, with %s, %s', async (which, code, outcome) => {
    const probe = await open(join(folder, 'probe'), 'w')
    const handles: object = Object.getPrototypeOf(probe)
    await probe.close()
    const sync = jest.spyOn(handles as typeof probe, 'sync').mockImplementation(async function (
      this: typeof probe,
    ) {
      const isFolder = (await this.stat()).isDirectory()
      if (isFolder === (which === 'folder')) throw Object.assign(new Error(code), { code })
    })
    const kept = await attachmentFolder(join(folder, 'new'))(Readable.from(['x']), head).then(
      () => 'is kept',
      () => 'fails',
    )
    sync.mockRestore()
    expect(kept).toBe(outcome)
  })

  test('leaves nothing half written behind', async () => {
    const keep = attachmentFolder(folder)
    const broken = new Readable({
      read() {
        this.destroy(new Error('cut'))
      },
    })
    await expect(keep(broken, head)).rejects.toThrow('cut')
    expect(await readdir(folder)).toEqual([])
  })
})
