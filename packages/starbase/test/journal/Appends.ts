/** Entities and appends of a test's own: every call gives a fresh id. */
import type { Append, EntityKey } from "@starform/starbase/journal/Journal"

let next = 0

export const entity = (): EntityKey => ({ type: "Thing", id: `thing-${process.pid}-${next++}` })

export const append = (fields: Partial<Append> = {}): Append => ({
  after: 0,
  events: [{ _tag: "Happened" }],
  actor: "operator",
  requestId: `request-${next++}`,
  atMs: 1_700_000_000_123,
  reply: { payloadHash: "hash", reply: { ok: true } },
  effects: [],
  reserve: [],
  release: [],
  rows: [],
  ...fields
})
