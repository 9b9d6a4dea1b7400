import { randomUUID } from 'node:crypto'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { mysqlUrl, postgresUrl } from './started-services.js'

/** A new and empty database, and what takes it away again. */
export interface Database {
  url: string
  remove(): Promise<void>
}

/**
 * On the PostgreSQL that was started for the tests.
 *
 * @param filled one that it is a copy of; nobody may be connected to that
 */
export async function newPostgresDatabase(filled?: Database): Promise<Database> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const template = filled ? new URL(filled.url).pathname.slice(1) : 'template1'
  await inPostgres(`CREATE DATABASE ${name} TEMPLATE ${template}`)
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

/** On the MariaDB that was started for the tests. */
export async function newMysqlDatabase(): Promise<Database> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await inMysql(`CREATE DATABASE ${name}`)
  const url = new URL(mysqlUrl)
  url.pathname = `/${name}`
  return { url: url.href, remove: () => inMysql(`DROP DATABASE ${name}`) }
}

async function inMysql(sql: string): Promise<void> {
  const connection = await createConnection(mysqlUrl)
  await connection.query(sql)
  await connection.end()
}
