import { assert, describe, it } from "@effect/vitest"
import * as JsonOperations from "@starform/launchpad/kubernetes/patch/JsonOperations"
import { Result } from "effect"
import * as fc from "fast-check"

const applied = (target: unknown, ...operations: ReadonlyArray<unknown>) =>
  Result.getOrElse(JsonOperations.apply(target, operations), () => "refused")

describe("JsonOperations", () => {
  describe("apply", () => {
    it("performs the examples of RFC 6902", () => {
      assert.deepStrictEqual(applied({ foo: "bar" }, { op: "add", path: "/baz", value: "qux" }), {
        foo: "bar",
        baz: "qux"
      })
      assert.deepStrictEqual(applied({ foo: ["a", "b"] }, { op: "add", path: "/foo/1", value: "x" }), {
        foo: ["a", "x", "b"]
      })
      assert.deepStrictEqual(applied({ foo: ["a"] }, { op: "add", path: "/foo/-", value: ["b"] }), {
        foo: ["a", ["b"]]
      })
      assert.deepStrictEqual(applied({ foo: ["a", "b", "c"] }, { op: "remove", path: "/foo/1" }), {
        foo: ["a", "c"]
      })
      assert.deepStrictEqual(
        applied(
          { foo: { bar: 1, waldo: 2 }, qux: { corge: 3 } },
          { op: "move", from: "/foo/waldo", path: "/qux/thud" }
        ),
        { foo: { bar: 1 }, qux: { corge: 3, thud: 2 } }
      )
      assert.deepStrictEqual(applied({ foo: ["a", "b"] }, { op: "move", from: "/foo/0", path: "/foo/1" }), {
        foo: ["b", "a"]
      })
      assert.deepStrictEqual(applied({ a: { b: 1 } }, { op: "copy", from: "/a", path: "/c" }), {
        a: { b: 1 },
        c: { b: 1 }
      })
      assert.deepStrictEqual(applied({ "~1": 10, "/": 9 }, { op: "test", path: "/~01", value: 10 }), {
        "~1": 10,
        "/": 9
      })
    })

    it("performs all operations or none", () => {
      const refused = [
        { op: "test", path: "/a", value: "1" },
        { op: "remove", path: "/b" },
        { op: "replace", path: "/b", value: 1 },
        { op: "add", path: "/b/c", value: 1 },
        { op: "add", path: "/list/3", value: 1 },
        { op: "remove", path: "/list/01" },
        { op: "move", from: "/b", path: "/c" },
        { op: "grow", path: "/a" },
        { op: "add", path: "a", value: 1 },
        { op: "remove", path: "/constructor" }
      ]
      for (const operation of refused) {
        const outcome = applied({ a: 1, list: [1] }, { op: "add", path: "/x", value: 1 }, operation)
        assert.strictEqual(outcome, "refused", JSON.stringify(operation))
      }
      assert.isTrue(Result.isFailure(JsonOperations.apply({}, { op: "add" })))
    })

    it("removes what it has just added", () => {
      fc.assert(
        fc.property(
          fc.dictionary(fc.string(), fc.jsonValue()),
          fc.string(),
          fc.jsonValue(),
          (target, key, value) => {
            fc.pre(!Object.hasOwn(target, key) && key !== "__proto__" && !Object.hasOwn(target, "__proto__"))
            const path = `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`
            const outcome = applied(
              target,
              { op: "add", path, value },
              { op: "test", path, value },
              { op: "remove", path }
            )
            assert.deepEqual(outcome, { ...target })
          }
        )
      )
    })
  })
})
