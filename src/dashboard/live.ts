import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'

/** How often a view that somebody looks at is looked at for changes, in ms. */
const lookEvery = 2000

/** After so long a stream ends and the browser opens it again, so that who it may show to is asked again; in ms. */
const longestStream = 10 * 60_000

/** Tells browsers that what they show has changed. What has changed they ask for as everybody does. */
export interface Live {
  /**
   * A stream of server-sent events about one view.
   *
   * @param key names the view: who looks at the same one shares what is read for it
   * @param read what it shows now
   * @param seen the digest of what the browser shows, which may have changed since
   */
  stream(key: string, read: () => Promise<string>, seen: string): Readable
  /** Ends all streams. */
  close(): void
}

/** What a view shows, in few characters. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

/**
 * It asks the store again and again rather than listening: a listener would take events from those of the
 * application, and those of other processes would go unseen.
 */
export function createLive(every = lookEvery): Live {
  const watched = new Map<string, Watched>()
  return {
    stream(key, read, seen) {
      const watch = watched.get(key) ?? watchView(read, every, () => watched.delete(key))
      watched.set(key, watch)
      return watch.add(seen)
    },
    close() {
      for (const watch of watched.values()) watch.end()
    },
  }
}

interface Watched {
  add(seen: string): Readable
  end(): void
}

function watchView(read: () => Promise<string>, every: number, over: () => void): Watched {
  /** What the browser of each shows. */
  const streams = new Map<Readable, string>()
  let reading = false

  async function look(): Promise<void> {
    if (reading) return
    reading = true
    try {
      const now = digestOf(await read())
      for (const [stream, seen] of streams) {
        stream.push(seen === now ? ':\n\n' : `event: change\ndata: ${now}\n\n`)
        streams.set(stream, now)
      }
    } catch {
      // The store fails, and says so where it is asked; the next look may find it back.
      for (const stream of streams.keys()) stream.push('event: failure\ndata: \n\n')
    } finally {
      reading = false
    }
  }

  void look()
  const timer = setInterval(() => void look(), every).unref()

  /** Ended, it takes nothing any more; the last one ends the looking. */
  function leave(stream: Readable): void {
    if (!streams.delete(stream) || streams.size > 0) return
    clearInterval(timer)
    over()
  }

  function end(stream: Readable): void {
    leave(stream)
    stream.push(null)
  }

  return {
    add(seen) {
      let expiry: NodeJS.Timeout | undefined
      const stream = new Readable({
        encoding: 'utf8',
        read() {},
        destroy(error, done) {
          clearTimeout(expiry)
          leave(stream)
          done(error)
        },
      })
      expiry = setTimeout(() => end(stream), longestStream).unref()
      streams.set(stream, seen)
      stream.push('retry: 2000\n\n')
      return stream
    },
    end() {
      for (const stream of streams.keys()) end(stream)
    },
  }
}
