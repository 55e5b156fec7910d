import { assert, describe, it } from "@effect/vitest"
import { ObjectIndex } from "@starform/shuttle/kubernetes/ObjectIndex"
import type { ObservedObject } from "@starform/shuttle/kubernetes/ObservedObject"

const object = (name: string, version: number, uid = `uid-${name}`): ObservedObject => ({
  kind: "ConfigMap",
  namespace: "ns",
  name,
  uid,
  resourceVersion: String(version),
  generation: 0,
  labels: {},
  annotations: {},
  deleting: false,
  controllerUid: null,
  ownedFields: null,
  ownsReplicas: false,
  spec: undefined,
  status: undefined,
  data: undefined
})

const versions = (index: ObjectIndex) =>
  index
    .inNamespace("ns")
    .map(({ name, resourceVersion }) => `${name}@${resourceVersion}`)
    .sort()

describe("ObjectIndex", () => {
  it("never goes back to an older version (INV-KUB-1)", () => {
    const index = new ObjectIndex()
    assert.isTrue(index.put(object("a", 9)))
    assert.isFalse(index.put(object("a", 9)))
    assert.isFalse(index.put(object("a", 8)))
    assert.isTrue(index.put(object("a", 10)))
    assert.isFalse(index.remove(object("a", 9)))
    assert.deepStrictEqual(versions(index), ["a@10"])
  })

  it("does not bring back what was deleted by an answer that comes late", () => {
    const index = new ObjectIndex()
    index.put(object("a", 5))
    assert.isTrue(index.remove(object("a", 7)))
    assert.isFalse(index.put(object("a", 6)))
    assert.deepStrictEqual(index.namespaces(), [])
    assert.isTrue(index.put(object("a", 8, "another")))
  })

  it("keeps the object that took the name of a deleted one", () => {
    const index = new ObjectIndex()
    index.put(object("a", 5, "one"))
    index.put(object("a", 7, "two"))
    assert.isFalse(index.remove(object("a", 8, "one")))
    assert.deepStrictEqual(versions(index), ["a@7"])
  })

  it("agrees with a list, but for what was written after it", () => {
    const index = new ObjectIndex()
    index.put(object("gone", 3))
    index.put(object("changed", 4))
    index.put(object("same", 5))
    index.put(object("written-later", 12))
    const changed = index.replace(
      "ConfigMap",
      [object("changed", 6), object("same", 5), object("new", 7)],
      "10"
    )
    assert.deepStrictEqual(changed.map(({ name }) => name).sort(), ["changed", "gone", "new"])
    assert.deepStrictEqual(versions(index), ["changed@6", "new@7", "same@5", "written-later@12"])
  })
})
