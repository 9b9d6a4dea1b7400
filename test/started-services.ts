import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** What services.mjs has started. */
function started(name: string): string {
  const value = process.env[`MAILTRAIL_TEST_${name}`]
  if (!value) throw new Error(`no MAILTRAIL_TEST_${name}: npm run test:services sets it`)
  return value
}

export const postgresUrl = started('POSTGRES_URL')
export const mysqlUrl = started('MYSQL_URL')
export const redisUrl = started('REDIS_URL')

/** As after a crash: connections break off, and what was not committed is gone. */
export async function restartPostgres(): Promise<void> {
  await promisify(execFile)('sh', ['-c', started('POSTGRES_RESTART')])
}
