import { assert, describe, it } from "@effect/vitest"
import { DesiredState } from "@starform/domain/desired/DesiredState"
import { documentHashInput, entryHashInput } from "@starform/domain/desired/DocumentHash"
import { accept, type HeldDocument } from "@starform/shuttle/starbase/DesiredDocument"
import { receive } from "@starform/shuttle/starbase/ReceivedDocument"
import { defaults } from "@starform/shuttle/ShuttleConfig"
import { fromStored, StoredDocument, toStored } from "@starform/shuttle/storage/StoredDocument"
import { unreadableStatus } from "@starform/shuttle/reports/Seen"
import { hasRenderError } from "@starform/shuttle/reconcile/DesiredProject"
import { Result, Schema } from "effect"
import {
  clusterId,
  desiredApp,
  fullState,
  revision,
  sha256,
  tombstoneOf,
  variable
} from "../fixtures/DesiredApps.ts"
import { projectsOf } from "../fixtures/SimulatedCluster.ts"

type Wire = Record<string, unknown>

const encode = (state: DesiredState): Wire => structuredClone(Schema.encodeSync(DesiredState)(state)) as never
const apps = (document: Wire) => (document["apps"] ?? document["changed"]) as Array<Wire>

const secret = variable("API_KEY", "hunter2-value", true)
const good = desiredApp({ service: 1 })
const odd = desiredApp({ service: 2 }, { variables: [secret] })
const neighbour = desiredApp({ project: 2, service: 3 })

/** A document of the three as a Starbase would write it that writes `odd` in this way. */
const written = (change: (entry: Wire) => void, n = 1): Wire => {
  const document = encode(fullState({ n, apps: [good, odd, neighbour] }))
  change(apps(document)[1]!)
  const hashes = apps(document).map(
    (entry) => [String(entry["app_id"]), sha256(entryHashInput(entry))] as const
  )
  return { ...document, hash: `sha256:${sha256(documentHashInput(hashes, [], { lbSizeUnits: 1 }))}` }
}

const take = (document: Wire, held: HeldDocument | null = null): HeldDocument => {
  const { state, unreadable } = Result.getOrThrow(receive(document))
  return Result.getOrThrow(accept(held, state, clusterId, defaults, unreadable))
}

const cases: Readonly<Record<string, readonly [code: string, told: RegExp, change: (entry: Wire) => void]>> =
  {
    "an image without digest": [
      "ImageWithoutDigest",
      /not named by its digest/,
      (entry) => (entry["image"] = "registry.example.com/acme/api:latest")
    ],
    "a field of a later Starbase": [
      "EntryTooNew",
      /too old for it: it does not know volumes$/,
      (entry) => (entry["volumes"] = [{ size: 1 }])
    ],
    "a field of a later Starbase in a process": [
      "EntryTooNew",
      /processes\.0\.gpu/,
      (entry) => ((entry["processes"] as Array<Wire>)[0]!["gpu"] = 1)
    ],
    "a name that no cluster takes": [
      "EntryMalformed",
      /service_name/,
      (entry) => (entry["service_name"] = "Not A Name!")
    ],
    "a secret that is no text": [
      "EntryMalformed",
      /variables\.0\.value/,
      (entry) => ((entry["variables"] as Array<Wire>)[0]!["value"] = 8675309)
    ],
    "a range that is none": [
      "EntryMalformed",
      /databases\.0\.cidr/,
      (entry) => (entry["databases"] = [{ cidr: "10.0.0.1/8", port: 5432 }])
    ],
    "nothing but its id": [
      "EntryMalformed",
      /workspace_id/,
      (entry) => {
        for (const key of Object.keys(entry)) if (key !== "app_id") delete entry[key]
      }
    ]
  }

describe("receive", () => {
  for (const [name, [code, told, change]] of Object.entries(cases)) {
    it(`keeps every other app and says why for ${name} (INV-DOC-6)`, () => {
      const held = take(written(change))
      assert.sameMembers([...held.apps.keys()], [good.appId, neighbour.appId])
      const [entry] = held.unreadable.values()
      assert.strictEqual(entry?.appId, odd.appId)
      assert.strictEqual(entry?.code, code)
      assert.match(entry!.problem, told)
      assert.notInclude(JSON.stringify(entry), secret.value)
      assert.notInclude(JSON.stringify(entry), "8675309")
      assert.deepStrictEqual(
        unreadableStatus(entry!).map(({ appId, phase, reason }) => [appId, phase, reason?.code]),
        [[odd.appId, "failed", code]]
      )
    })
  }

  it("prunes nothing of that project, and goes on pruning of the others", () => {
    const held = take(written((entry) => (entry["image"] = "latest")))
    const projects = projectsOf({
      ...held,
      tombstones: [
        tombstoneOf(desiredApp({ service: 9 })),
        tombstoneOf(desiredApp({ project: 2, service: 9 }))
      ]
    })
    assert.isTrue(hasRenderError(projects.get("proj-shop-1")!))
    assert.isFalse(hasRenderError(projects.get("proj-shop-2")!))
  })

  it("keeps every other app when one has an id that is none; nobody can be told of it", () => {
    const held = take(written((entry) => (entry["app_id"] = `${odd.projectId}/Not_A_Name/x`)))
    assert.strictEqual(held.apps.size, 2)
    const [entry] = held.unreadable.values()
    assert.isEmpty(unreadableStatus(entry!))
    assert.isTrue(hasRenderError(projectsOf(held).get("proj-shop-1")!))
  })

  it("takes the entry once it fits, by delta too, and forgets why it did not", () => {
    const before = take(written((entry) => (entry["image"] = "latest")))
    const fixed = encode({
      ...fullState({ n: 2, apps: [good, odd, neighbour] }),
      kind: "delta",
      base: revision(1),
      changed: [odd]
    } as never)
    const after = take(fixed, before)
    assert.strictEqual(after.apps.size, 3)
    assert.strictEqual(after.unreadable.size, 0)
  })

  it("gives up an app whose next entry does not fit, and verifies the document all the same", () => {
    const before = take(encode(fullState({ apps: [good, odd, neighbour] })))
    const document = written((entry) => (entry["image"] = "latest"), 2)
    const { apps: entries, ...around } = document
    const changed = [(entries as Array<Wire>)[1]]
    const after = take({ ...around, kind: "delta", base: revision(1), changed }, before)
    assert.sameMembers([...after.apps.keys()], [good.appId, neighbour.appId])
    assert.strictEqual(after.unreadable.size, 1)
  })

  it("survives a restart, reason and hash included", () => {
    const held = take(written((entry) => (entry["volumes"] = [])))
    const codec = Schema.toCodecJson(StoredDocument)
    const stored = Schema.decodeUnknownSync(codec)(
      JSON.parse(JSON.stringify(Schema.encodeSync(codec)(toStored(held, clusterId))))
    )
    const restored = Result.getOrThrow(fromStored(stored, clusterId, defaults))
    assert.deepStrictEqual([...restored.unreadable], [...held.unreadable])
    assert.strictEqual(restored.hash, held.hash)
  })

  it("refuses the document when it does not fit itself, or an entry does not say which app it is of", () => {
    const document = encode(fullState({ apps: [good] }))
    const broken: ReadonlyArray<unknown> = [
      null,
      [],
      "text",
      {},
      { ...document, kind: "whole" },
      { ...document, apps: null },
      { ...document, revision: 7 },
      { ...document, apps: [{}] },
      { ...document, apps: [null] }
    ]
    for (const body of broken) assert.isTrue(Result.isFailure(receive(body)), JSON.stringify(body))
  })

  it("refuses an app that is there twice, once readable and once not", () => {
    const document = encode(fullState({ apps: [good, good] }))
    apps(document)[1]!["image"] = "latest"
    const { state, unreadable } = Result.getOrThrow(receive(document))
    assert.isTrue(Result.isFailure(accept(null, state, clusterId, defaults, unreadable)))
  })
})
