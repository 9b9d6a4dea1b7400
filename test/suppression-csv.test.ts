import { describe, expect, test } from '@jest/globals'
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { createCorrelator, memoryStore } from '../src/index.js'

const suppressions = () => createCorrelator({ store: memoryStore() }).suppressions
const since = new Date('2026-01-02T03:04:05.000Z')

const written = async (list: ReturnType<typeof suppressions>): Promise<string> =>
  text(Readable.from(list.exportCsv()))

describe('a list of suppressions', () => {
  test('is written as CSV, and read in again as it was', async () => {
    const list = suppressions()
    await list.add('ann@example.org', {
      since,
      detail: 'he said "no", twice\nand so',
      cause: 'complained',
    })
    await list.add('bob@example.org', {
      since,
      scope: { kind: 'group', id: '42' },
      provider: 'sendgrid',
      expiresAt: new Date('2090-01-01T00:00:00Z'),
    })
    const csv = await written(list)
    expect(csv.split('\n')[0]).toBe('address,cause,scope,group,provider,detail,since,expires_at')
    const copy = suppressions()
    expect(await copy.importCsv(csv)).toEqual({ added: 2, refused: 0, flaws: [] })
    for (const address of ['ann@example.org', 'bob@example.org']) {
      expect(await copy.get(address)).toEqual(await list.get(address))
      expect(await copy.get(address)).toHaveLength(1)
    }
  })

  test('has nothing in it that a spreadsheet carries out', async () => {
    const list = suppressions()
    await list.add('ann@example.org', { since, detail: '=HYPERLINK("https://evil.example")' })
    expect(await written(list)).toContain(`"'=HYPERLINK(""https://evil.example"")"`)
  })

  test('may be one of a provider, by its own names for the columns', async () => {
    const list = suppressions()
    const csv = [
      '\uFEFF"status","reason","email","created"',
      '"5.1.1","550 no such user","ann@example.org","1767323045"',
      '',
      '"5.1.1","550 no such user","Bob <BOB@example.org>","2026-01-02T03:04:05Z"',
    ].join('\r\n')
    expect(await list.importCsv(csv, { cause: 'bounced', provider: 'sendgrid' })).toMatchObject({
      added: 2,
    })
    for (const address of ['ann@example.org', 'bob@example.org']) {
      expect(await list.get(address)).toEqual([
        {
          address,
          cause: 'bounced',
          scope: { kind: 'all' },
          provider: 'sendgrid',
          detail: '550 no such user',
          since,
        },
      ])
    }
  })

  test('is taken without the rows that cannot be, which are told by their lines', async () => {
    const list = suppressions()
    const csv = [
      'address,cause,scope,since',
      'ann@example.org,,,',
      'nobody,,,',
      ',,,',
      'bob@example.org,hated,,',
      'cid@example.org,,group,',
      'dan@example.org,,,some day',
      'eve@example.org,listed,all,2026-01-02',
    ].join('\n')
    const result = await list.importCsv(csv)
    expect(result).toMatchObject({ added: 2, refused: 5 })
    expect(result.flaws.map(({ line }) => line)).toEqual([3, 4, 5, 6, 7])
    expect(JSON.stringify(result.flaws)).not.toContain('bob@')
    expect((await list.list()).suppressions).toHaveLength(2)
  })

  test('is read as it comes, however long it is', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mailtrail-csv-'))
    try {
      const rows = Array.from({ length: 5000 }, (_, index) => `r${index}@example.org`)
      writeFileSync(join(folder, 'list.csv'), ['email', ...rows].join('\n'))
      const list = suppressions()
      const source = createReadStream(join(folder, 'list.csv'), { highWaterMark: 100 })
      expect(await list.importCsv(source)).toMatchObject({ added: 5000 })
      expect((await written(list)).trim().split('\n')).toHaveLength(5001)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('that breaks off is told so', async () => {
    const list = suppressions()
    async function* broken() {
      yield 'email\nann@example.org\n'
      await Promise.resolve()
      throw new Error('the disk is gone')
    }
    await expect(list.importCsv(broken())).rejects.toThrow('the disk is gone')
  })
})

describe('suppressions by hand', () => {
  test('stand from when they are added until they are removed', async () => {
    const list = suppressions()
    await list.add('Ann <ANN@Example.org>')
    expect(await list.get('ann@example.org')).toMatchObject([
      { address: 'ann@example.org', cause: 'added', scope: { kind: 'all' } },
    ])
    expect(await list.remove('ann@example.org')).toBe(1)
    expect(await list.get('ann@example.org')).toEqual([])
    expect(await list.remove('ann@example.org')).toBe(0)
    await list.add('ann@example.org', { since })
    expect(await list.get('ann@example.org')).toHaveLength(1)
  })

  test('are taken back by what they are for', async () => {
    const list = suppressions()
    const group = { kind: 'group', id: '1' } as const
    await list.add('ann@example.org', { scope: group, provider: 'sendgrid' })
    await list.add('ann@example.org', { cause: 'bounced' })
    expect(await list.remove('ann@example.org', { cause: 'complained' })).toBe(0)
    expect(await list.remove('ann@example.org', { scope: group, provider: 'sendgrid' })).toBe(1)
    expect((await list.get('ann@example.org')).map(({ cause }) => cause)).toEqual(['bounced'])
  })

  test('are listed page by page', async () => {
    const list = suppressions()
    for (const name of ['a', 'b', 'c']) await list.add(`${name}@example.org`)
    const first = await list.list({ limit: 2 })
    const { cursor } = first
    expect(first.suppressions).toHaveLength(2)
    const second = await list.list({ limit: 2, ...(cursor !== undefined && { cursor }) })
    expect(second.cursor).toBeUndefined()
    expect(
      [...first.suppressions, ...second.suppressions].map(({ address }) => address).toSorted(),
    ).toEqual(['a@example.org', 'b@example.org', 'c@example.org'])
  })

  test.each<[what: string, address: string, options: object]>([
    ['no address', 'nobody', {}],
    ['a cause that is none', 'ann@example.org', { cause: 'hated' }],
    ['a scope that is none', 'ann@example.org', { scope: { kind: 'some' } }],
    ['a group of nobody', 'ann@example.org', { scope: { kind: 'group', id: '1' } }],
    ['a time that is none', 'ann@example.org', { since: new Date('no') }],
  ])('with %s are refused', async (_, address, options) => {
    await expect(suppressions().add(address, options)).rejects.toThrow(TypeError)
  })
})
