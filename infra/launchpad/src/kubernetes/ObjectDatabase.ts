/** Where objects are kept between starts: one SQLite table, written before an answer goes out. Secrets are encrypted. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { KubernetesObject } from "./ClusterObjects.ts"

/** The folder cannot be used, or what is in it cannot be read with this key. */
export class ObjectDatabaseUnusable extends Schema.TaggedError<ObjectDatabaseUnusable>()(
  "ObjectDatabaseUnusable",
  { directory: Schema.String, cause: Schema.Defect() }
) {
  override get message() {
    return `the local cluster's state in ${this.directory} cannot be used`
  }
}

export interface StoredObject {
  readonly resource: string
  readonly object: KubernetesObject
}

export interface ObjectDatabase {
  readonly objects: ReadonlyArray<StoredObject>
  readonly resourceVersion: number
  readonly put: (resource: string, key: string, object: KubernetesObject, resourceVersion: number) => void
  readonly remove: (resource: string, key: string, resourceVersion: number) => void
}

/** Nothing is kept. */
export const memory: ObjectDatabase = {
  objects: [],
  resourceVersion: 0,
  put: () => undefined,
  remove: () => undefined
}

const isSecret = (resource: string) => resource === "secrets"

const seal = (key: Buffer, text: string): string => {
  const nonce = randomBytes(12)
  const cipher = createCipheriv("aes-256-gcm", key, nonce)
  const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString("base64")
}

const open = (key: Buffer, sealed: string): string => {
  const bytes = Buffer.from(sealed, "base64")
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12))
  decipher.setAuthTag(bytes.subarray(12, 28))
  return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString("utf8")
}

const connect = (directory: string): DatabaseSync => {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const database = new DatabaseSync(join(directory, "objects.sqlite"))
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000")
  database.exec(`CREATE TABLE IF NOT EXISTS objects (
    resource TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (resource, key)) WITHOUT ROWID`)
  database.exec("CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL)")
  return database
}

const read = (database: DatabaseSync, key: Buffer): ReadonlyArray<StoredObject> =>
  database
    .prepare("SELECT resource, body FROM objects")
    .all()
    .map((row) => {
      const resource = String(row["resource"])
      const body = String(row["body"])
      return { resource, object: JSON.parse(isSecret(resource) ? open(key, body) : body) as KubernetesObject }
    })

/** Open until the scope closes. @param secretKey 32 bytes, base64 */
export const make = Effect.fnUntraced(function* (directory: string, secretKey: Redacted.Redacted<string>) {
  const key = Buffer.from(Redacted.value(secretKey), "base64")
  const attempt = <A>(run: () => A) =>
    Effect.try({ try: run, catch: (cause) => new ObjectDatabaseUnusable({ directory, cause }) })
  const database = yield* Effect.acquireRelease(
    attempt(() => connect(directory)),
    (opened) => Effect.sync(() => opened.close())
  )
  return yield* attempt((): ObjectDatabase => {
    const counter = database.prepare("SELECT value FROM counters WHERE name = 'resourceVersion'").get()
    const saveObject = database.prepare(
      "INSERT INTO objects (resource, key, body) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body"
    )
    const deleteObject = database.prepare("DELETE FROM objects WHERE resource = ? AND key = ?")
    const saveCounter = database.prepare(
      "INSERT INTO counters (name, value) VALUES ('resourceVersion', ?) ON CONFLICT DO UPDATE SET value = excluded.value"
    )
    const inTransaction = (write: () => void, resourceVersion: number) => {
      database.exec("BEGIN IMMEDIATE")
      write()
      saveCounter.run(resourceVersion)
      database.exec("COMMIT")
    }
    return {
      objects: read(database, key),
      resourceVersion: Number(counter?.["value"] ?? 0),
      put: (resource, name, object, resourceVersion) => {
        const text = JSON.stringify(object)
        const body = isSecret(resource) ? seal(key, text) : text
        inTransaction(() => saveObject.run(resource, name, body), resourceVersion)
      },
      remove: (resource, name, resourceVersion) =>
        inTransaction(() => deleteObject.run(resource, name), resourceVersion)
    }
  })
})
