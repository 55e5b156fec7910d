import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { EnvironmentVariable } from "@starform/domain/model/AppSettings"
import { VariableName } from "@starform/domain/ids/Slug"
import { AppState } from "@starform/starbase/entities/app/AppEntity"
import { ClusterState } from "@starform/starbase/entities/cluster/ClusterState"
import { view } from "@starform/starbase/entities/SecretFree"
import { TenantState } from "@starform/starbase/entities/tenant/TenantState"

describe("SecretFree", () => {
  it("INV-OPR-2 does not compile for what is stored of an entity", () => {
    const refused = [
      // @ts-expect-error variables are ciphertext
      view(AppState),
      // @ts-expect-error the agent's credential, and variables
      view(ClusterState),
      // @ts-expect-error hashes of tokens
      view(TenantState),
      // @ts-expect-error ciphertext at any depth
      view(Schema.Struct({ list: Schema.Array(Schema.NullOr(EnvironmentVariable)) }))
    ]
    assert.lengthOf(refused, 4)
  })

  it.effect("leaves behind every field that the view does not name", () =>
    Effect.gen(function* () {
      const shown = yield* view(Schema.Struct({ key: VariableName, secret: Schema.Boolean }))({
        key: "DATABASE_URL",
        secret: true,
        value: { keyId: "k", sealed: "ciphertext" }
      })
      assert.deepStrictEqual(shown, { key: "DATABASE_URL", secret: true })
    })
  )
})
