import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { postgresUrl } from './started-services.js'

/** A new and empty database, and what takes it away again. */
export interface Database {
  url: string
  remove(): Promise<void>
}

/** On the PostgreSQL that was started for the tests. */
export async function newPostgresDatabase(): Promise<Database> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await inPostgres(`CREATE DATABASE ${name}`)
  const url = new URL(postgresUrl)
  url.pathname = `/${name}`
  return { url: url.href, remove: () => inPostgres(`DROP DATABASE ${name} WITH (FORCE)`) }
}

async function inPostgres(sql: string): Promise<void> {
  const client = new Client({ connectionString: postgresUrl })
  await client.connect()
  await client.query(sql)
  await client.end()
}
