import { assert, describe, it } from "@effect/vitest"
import { Option, Result, Schema } from "effect"
import * as fc from "fast-check"
import * as AppId from "@starform/domain/ids/AppId"
import { CommitSha, Digest, ImageReference, TokenHash } from "@starform/domain/ids/Digest"
import {
  BuildId,
  ClusterId,
  DeployId,
  ProjectId,
  ReleaseId,
  RequestId,
  ServiceId,
  WorkspaceId
} from "@starform/domain/ids/Ids"
import * as Revision from "@starform/domain/ids/Revision"
import {
  EnvironmentName,
  Hostname,
  NamespaceName,
  ProcessName,
  Slug,
  VariableName
} from "@starform/domain/ids/Slug"

const isOf = (schema: Schema.Codec<string, string>, text: string) =>
  Result.isSuccess(Schema.decodeResult(schema)(text))

const law = <A>(arbitrary: fc.Arbitrary<A>, holds: (value: A) => void) =>
  fc.assert(
    fc.property(arbitrary, (value) => {
      holds(value)
    })
  )

describe("AppId", () => {
  it.prop("is parsed to the very key that it was formatted from", [AppId.AppKey], ([key]) => {
    assert.deepStrictEqual(Result.getOrThrow(AppId.parse(AppId.format(key))), key)
  })

  it.prop("has one id for each key", [AppId.AppKey, AppId.AppKey], ([a, b]) => {
    const isSame =
      a.projectId === b.projectId && a.environment === b.environment && a.serviceId === b.serviceId
    assert.strictEqual(AppId.format(a) === AppId.format(b), isSame)
  })

  it("fails to parse what only looks like one", () => {
    const hyphens = "-".repeat(36)
    assert.isTrue(Result.isFailure(AppId.parse(AppId.AppId.make(`${hyphens}/production/${hyphens}`))))
  })

  it("has one spelling: an id in upper case is none", () => {
    const upper = "0198C0DE-0000-7000-8000-000000000001"
    for (const schema of [ProjectId, ServiceId, WorkspaceId, ClusterId, DeployId, ReleaseId, BuildId]) {
      assert.isFalse(isOf(schema, upper))
      assert.isTrue(isOf(schema, upper.toLowerCase()))
    }
  })

  it("does not take less or more than three parts", () => {
    const uuid = "0198c0de-0000-7000-8000-000000000001"
    for (const text of [
      uuid,
      `${uuid}/production`,
      `${uuid}/production/${uuid}/x`,
      `${uuid}//${uuid}`,
      `/${uuid}`
    ]) {
      assert.isFalse(isOf(AppId.AppId, text), text)
    }
  })
})

const epoch = fc.constantFrom("0a0b0c0d", "ffffffff")
const revision = fc
  .record({ epoch, n: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 999_999_999_999_999 })) })
  .map(Revision.format)

/** `a` is not above `b`, as far as the two compare. */
const isAtMost = (a: Revision.Revision, b: Revision.Revision) =>
  Option.exists(Revision.compare(a, b), (order) => order <= 0)

describe("Revision", () => {
  it("is parsed to the very parts that it was formatted from", () => {
    law(revision, (a) => assert.strictEqual(Revision.format(Revision.parse(a)), a))
  })

  it("is a partial order: reflexive, antisymmetric and transitive", () => {
    law(fc.tuple(revision, revision, revision), ([a, b, c]) => {
      assert.isTrue(isAtMost(a, a))
      if (isAtMost(a, b) && isAtMost(b, a)) assert.strictEqual(a, b)
      if (isAtMost(a, b) && isAtMost(b, c)) assert.isTrue(isAtMost(a, c))
    })
  })

  it("compares within an epoch, by number, and never across epochs", () => {
    law(fc.tuple(revision, revision), ([a, b]) => {
      const [left, right] = [Revision.parse(a), Revision.parse(b)]
      assert.strictEqual(Option.isSome(Revision.compare(a, b)), left.epoch === right.epoch)
      assert.strictEqual(isAtMost(a, b), left.epoch === right.epoch && left.n <= right.n)
    })
  })

  it("has no leading zero, sign, fraction or upper case", () => {
    for (const text of [
      "0a0b0c0d-01",
      "0a0b0c0d--1",
      "0a0b0c0d-1.5",
      "0A0B0C0D-1",
      "0a0b0c0-1",
      "0a0b0c0d-",
      ""
    ]) {
      assert.isFalse(isOf(Revision.Revision, text), text)
    }
  })
})

/** Texts around the edges of a label: hyphens in every place, letters of both cases, and what belongs nowhere. */
const labelLike = fc
  .array(fc.constantFrom("a", "z", "0", "9", "-", "A", "_", ".", "é", " ", "\n"), { maxLength: 70 })
  .map((letters) => letters.join(""))

const plain = fc
  .array(fc.constantFrom("a", "z", "0", "-"), { maxLength: 70 })
  .map((letters) => letters.join(""))

const text = fc.oneof(labelLike, plain)

const isLabel = (value: string, minimum: number, maximum: number) =>
  value.length >= minimum &&
  value.length <= maximum &&
  [...value].every((letter) => "abcdefghijklmnopqrstuvwxyz0123456789-".includes(letter)) &&
  !value.startsWith("-") &&
  !value.endsWith("-")

const labels = {
  Slug: [Slug, 2, 63],
  EnvironmentName: [EnvironmentName, 1, 30],
  ProcessName: [ProcessName, 1, 20],
  NamespaceName: [NamespaceName, 1, 63]
} as const

describe("names", () => {
  it.each(Object.entries(labels))(
    "of the kind %s are labels of their length",
    (_, [schema, minimum, maximum]) => {
      law(text, (value) =>
        assert.strictEqual(isOf(schema, value), isLabel(value, minimum, maximum), JSON.stringify(value))
      )
    }
  )

  it("of hosts are labels with dots between, at most 253 characters", () => {
    law(fc.array(text, { maxLength: 6 }), (parts) => {
      const value = parts.join(".")
      const isHost = value.length <= 253 && value.split(".").every((part) => isLabel(part, 1, 63))
      assert.strictEqual(isOf(Hostname, value), isHost, JSON.stringify(value))
    })
  })

  it("of variables are what a shell takes", () => {
    for (const name of ["A", "_", "DATABASE_URL", "a1", "A".repeat(128)])
      assert.isTrue(isOf(VariableName, name), name)
    for (const name of ["", "1A", "A-B", "A B", "A=B", "A\n", "é", "A".repeat(129)]) {
      assert.isFalse(isOf(VariableName, name), JSON.stringify(name))
    }
  })
})

describe("content addresses", () => {
  const hex = "ab".repeat(32)

  it("are whole, lower-case and of a known length", () => {
    assert.isTrue(isOf(Digest, `sha256:${hex}`))
    assert.isTrue(isOf(CommitSha, hex) && isOf(CommitSha, hex.slice(0, 40)))
    assert.isTrue(isOf(TokenHash, hex))
    assert.isTrue(isOf(ImageReference, `registry.test:5000/acme/shop@sha256:${hex}`))
    for (const value of [
      hex,
      `sha256:${hex.toUpperCase()}`,
      `sha256:${hex}a`,
      `md5:${hex}`,
      `sha256:${hex}\n`
    ]) {
      assert.isFalse(isOf(Digest, value), value)
    }
    for (const value of [hex.slice(0, 39), hex.slice(0, 50), `${hex}\n`, "HEAD"])
      assert.isFalse(isOf(CommitSha, value), value)
    for (const value of [`sha256:${hex}`, hex.slice(1), `${hex}\n`])
      assert.isFalse(isOf(TokenHash, value), value)
    for (const value of [
      "registry.test/app:latest",
      `@sha256:${hex}`,
      `-app@sha256:${hex}`,
      `a b@sha256:${hex}`
    ]) {
      assert.isFalse(isOf(ImageReference, value), value)
    }
  })
})

describe("RequestId", () => {
  it("is any text of 1 to 200 characters", () => {
    law(fc.string({ maxLength: 250 }), (value) =>
      assert.strictEqual(isOf(RequestId, value), value.length >= 1 && value.length <= 200)
    )
  })
})
