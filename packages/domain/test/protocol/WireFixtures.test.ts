import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { OpenApi } from "effect/http-api"
import { RpcSchema } from "effect/rpc"
import { DeltaState, DesiredState, FullState } from "@starform/domain/desired/DesiredState"
import * as DeployErrors from "@starform/domain/errors/DeployErrors"
import * as RequestErrors from "@starform/domain/errors/RequestErrors"
import { Principal } from "@starform/domain/model/Principal"
import { CapacityReport } from "@starform/domain/observed/CapacityReport"
import { StatusReport } from "@starform/domain/observed/ObservedApp"
import { SnapshotBatch, SnapshotReceipt } from "@starform/domain/observed/PodSnapshot"
import { AgentApi, CredentialHash } from "@starform/domain/protocol/AgentApi"
import { PublicRpcs } from "@starform/domain/protocol/PublicRpcs"
import * as Fixture from "../Fixture.ts"

const errors = { ...DeployErrors, ...RequestErrors }

const documents = {
  FullState,
  DeltaState,
  StatusReport,
  SnapshotBatch,
  SnapshotReceipt,
  CapacityReport,
  CredentialHash
}

const rpcs = [...PublicRpcs.requests.values()]

describe("INV-DOM-4", () => {
  it.each(Object.entries(documents))("reads and writes %s of the agent's wire as ever", (name, schema) => {
    const json = Fixture.read(name)
    assert.deepStrictEqual(Fixture.through(schema, json), json)
  })

  it.each(["FullState", "DeltaState"])("tells %s by its kind", (name) => {
    const json = Fixture.read(name)
    assert.deepStrictEqual(Fixture.through(DesiredState, json), json)
  })

  it("reads and writes the fields that came later, which an older document does not have", () => {
    const json = Fixture.read("FullState", "v1-later")
    assert.deepStrictEqual(Fixture.through(DesiredState, json), json)
  })

  it("reads and writes every principal as ever", () => {
    const json = Fixture.read("Principal")
    assert.deepStrictEqual(Fixture.through(Schema.Array(Principal), json), json)
    const tags = (json as ReadonlyArray<{ readonly _tag: string }>).map(({ _tag }) => _tag)
    assert.sameMembers(tags, Object.keys(Principal.cases))
  })

  it.each(Object.entries(errors))("reads and writes the error %s as ever", (name, schema) => {
    const json = Fixture.read(name)
    assert.deepStrictEqual(Fixture.through(schema, json), json)
  })

  it.each(rpcs.map((rpc) => [rpc._tag, rpc] as const))("reads and writes the RPC %s as ever", (tag, rpc) => {
    const success: Schema.Top = rpc.successSchema
    const answer = RpcSchema.isStreamSchema(success) ? success.success : success
    for (const version of [Fixture.read(tag), ...Fixture.later(tag)]) {
      const json = version as { readonly payload: unknown; readonly success: unknown }
      assert.deepStrictEqual(Fixture.through(rpc.payloadSchema, json.payload), json.payload)
      assert.deepStrictEqual(Fixture.through(answer, json.success), json.success)
    }
  })

  it("has no fixture of what is neither stored nor sent", () => {
    const known = [
      ...Object.keys(documents),
      ...Object.keys(errors),
      ...rpcs.map(({ _tag }) => _tag as string),
      "Principal"
    ]
    assert.sameMembers([...Fixture.names], known)
  })
})

describe("INV-DOM-2", () => {
  it.each(rpcs.map((rpc) => [rpc._tag, rpc] as const))("gives %s no field for its caller", (_, rpc) => {
    const payload = JSON.stringify(Schema.toJsonSchemaDocument(rpc.payloadSchema))
    assert.notInclude(payload, '"principal"')
  })
})

describe("AgentApi", () => {
  it("answers with the status of each error's reaction, and with 304 to a pull that waited in vain", () => {
    const { paths } = OpenApi.fromApi(AgentApi)
    const statuses = Object.fromEntries(
      Object.entries(paths).flatMap(([path, methods]) =>
        (["get", "post"] as const).flatMap((method) => {
          const operation = methods[method]
          return operation === undefined
            ? []
            : [[`${method} ${path}`, Object.keys(operation.responses).sort()] as const]
        })
      )
    )
    assert.deepStrictEqual(statuses, {
      "get /api/v1/clusters/{cluster_id}/desired-state": [
        "200",
        "304",
        "401",
        "404",
        "422",
        "426",
        "429",
        "503"
      ],
      "post /api/v1/clusters/{cluster_id}/capacity": ["204", "401", "404", "422", "426", "429", "503"],
      "post /api/v1/clusters/{cluster_id}/credential": ["204", "401", "404", "422", "426", "429", "503"],
      "post /api/v1/clusters/{cluster_id}/join": ["204", "401", "404", "422", "426", "429", "503"],
      "post /api/v1/clusters/{cluster_id}/snapshots": ["200", "401", "404", "422", "426", "429", "503"],
      "post /api/v1/clusters/{cluster_id}/status": ["204", "401", "404", "422", "426", "429", "503"]
    })
  })
})
