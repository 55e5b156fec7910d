import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as fc from "fast-check"
import { EnvironmentName, NamespaceName, Slug } from "@starform/domain/ids/Slug"
import { defaultEnvironment } from "@starform/domain/model/Workspace"
import * as Decisions from "@starform/starbase/entities/tenant/TenantDecisions"
import * as TenantModel from "@starform/starbase/entities/tenant/TenantModel"
import * as Tenant from "@starform/starbase/entities/tenant/TenantState"
import type { Decision } from "@starform/starbase/journal/JournaledEntity"
import { left, pageSizes, rebuilt } from "../RebuiltRows.ts"
import * as Specimens from "../Specimens.ts"

const small = fc.nat({ max: 3 })

const step = fc.oneof(
  fc.record({ kind: fc.constant("workspace" as const), slug: small, token: small }),
  fc.record({ kind: fc.constant("addToken" as const), id: small, token: small, canWrite: fc.boolean() }),
  fc.record({ kind: fc.constant("revokeToken" as const), id: small }),
  fc.record({ kind: fc.constant("project" as const), id: small, slug: small }),
  fc.record({ kind: fc.constant("environment" as const), project: small, name: small, branch: small }),
  fc.record({ kind: fc.constant("service" as const), project: small, slug: small, isWeb: fc.boolean() })
)
type Step = typeof step extends fc.Arbitrary<infer A> ? A : never

type Outcome = Result.Result<Decision<Tenant.TenantState, Tenant.TenantEvent, unknown>, unknown>

const tokenOf = (id: number, token: number, canWrite = true): Tenant.TokenRecord => ({
  id: `token-${id}`,
  hash: String(token).repeat(64),
  canWrite
})

const decide = (state: Tenant.TenantState, step: Step, n: number): Outcome => {
  switch (step.kind) {
    case "workspace":
      return Decisions.createWorkspace(state, {
        workspace: {
          id: Specimens.workspaceId(1),
          slug: Slug.make(`acme-${step.slug}`),
          displayName: "Acme"
        },
        token: tokenOf(0, step.token)
      })
    case "addToken":
      return Decisions.addToken(state, { token: tokenOf(step.id, step.token, step.canWrite) })
    case "revokeToken":
      return Decisions.revokeToken(state, { tokenId: `token-${step.id}` })
    case "project":
      return Decisions.createProject(state, {
        project: {
          id: Specimens.projectId(step.id),
          workspaceId: Specimens.workspaceId(1),
          slug: Slug.make(`shop-${step.slug}`),
          displayName: "Shop",
          clusterId: Specimens.clusterId(n),
          namespace: NamespaceName.make(`proj-shop-${n}`),
          environments: [defaultEnvironment],
          services: []
        }
      })
    case "environment":
      return Decisions.createEnvironment(state, {
        projectId: Specimens.projectId(step.project),
        environment: {
          name: EnvironmentName.make(`env-${step.name}`),
          branch: step.branch === 0 ? "main" : `branch-${step.branch}`,
          isProtected: false,
          isEphemeral: false
        }
      })
    case "service":
      return Decisions.createService(state, {
        projectId: Specimens.projectId(step.project),
        service: {
          id: Specimens.serviceId(n),
          slug: Slug.make(`service-${step.slug}`),
          type: step.isWeb ? "web" : "worker"
        }
      })
  }
}

interface Moment {
  readonly step: Step
  readonly before: Tenant.TenantState
  readonly after: Tenant.TenantState
  readonly events: ReadonlyArray<Tenant.TenantEvent>
}

const history = (asked: ReadonlyArray<Step>): ReadonlyArray<Moment> => {
  let state = Tenant.initial()
  return asked.map((step, n) => {
    const before = state
    const outcome = decide(before, step, n)
    const events = Result.isSuccess(outcome) ? outcome.success.events : []
    state = events.reduce(Tenant.evolve, before)
    return { step, before, after: state, events }
  })
}

const always = (law: (moments: ReadonlyArray<Moment>) => void) =>
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50, size: "max" }), (asked) => law(history(asked))),
    { numRuns: 150 }
  )

const atEach = (law: (moment: Moment) => void) => always((moments) => moments.forEach(law))

const distinct = (values: ReadonlyArray<string>) => assert.strictEqual(new Set(values).size, values.length)

describe("every sequence of messages", () => {
  it("INV-TEN-1 never changes a slug or a name, and never gives one twice", () => {
    atEach(({ before, after }) => {
      if (before.workspace !== null) assert.deepStrictEqual(after.workspace, before.workspace)
      distinct(after.projects.map(({ slug }) => slug))
      for (const project of before.projects) {
        const same = after.projects.find(({ id }) => id === project.id)
        assert.strictEqual<string | undefined>(same?.slug, project.slug)
        assert.deepStrictEqual(same?.environments.slice(0, project.environments.length), project.environments)
        assert.deepStrictEqual(same?.services.slice(0, project.services.length), project.services)
      }
      for (const { environments, services } of after.projects) {
        distinct(environments.map(({ name }) => name))
        distinct(services.map(({ slug }) => slug))
      }
    })
  })

  it("INV-TEN-2 never moves a project to another cluster or namespace, and gives each an id of its own", () => {
    atEach(({ before, after }) => {
      distinct(after.projects.map(({ id }) => id))
      for (const { id, clusterId, namespace } of before.projects) {
        assert.deepInclude(
          after.projects.find((project) => project.id === id),
          { clusterId, namespace }
        )
      }
    })
  })

  it("INV-TEN-3 lets a branch feed at most one environment of a project", () => {
    atEach(({ after }) => {
      for (const { environments } of after.projects) {
        const branches = environments.map(({ branch }) => branch)
        assert.deepStrictEqual(branches, [...new Set(branches)])
      }
    })
  })

  it("has at most one token of an id, and none that was revoked since", () => {
    atEach(({ step, after }) => {
      distinct(after.tokens.map(({ id }) => id))
      if (step.kind === "revokeToken") {
        assert.isFalse(after.tokens.some(({ id }) => id === `token-${step.id}`))
      }
      if (step.kind === "addToken" && after.workspace !== null) {
        assert.deepInclude(
          after.tokens.find(({ id }) => id === `token-${step.id}`),
          { hash: String(step.token).repeat(64), canWrite: step.canWrite }
        )
      }
    })
  })

  it("holds nothing before its workspace was created", () => {
    atEach(({ after }) => {
      assert.isTrue(after.workspace !== null || (after.tokens.length === 0 && after.projects.length === 0))
    })
  })

  it("reserves its slug once, and one namespace on its cluster for each project", () => {
    always((moments) => {
      const events = moments.flatMap((moment) => moment.events)
      const last = moments.at(-1)?.after ?? Tenant.initial()
      const reserved = events.flatMap((event) => TenantModel.model.reserves(event, last))
      assert.sameDeepMembers(reserved, [
        ...(last.workspace === null ? [] : [{ kind: "workspace", name: last.workspace.slug }]),
        ...last.projects.map(({ clusterId, namespace }) => ({
          kind: "namespace",
          name: `${clusterId}/${namespace}`
        }))
      ])
    })
  })

  it("is replayed from its stored events", () => {
    always((moments) => {
      const codec = Schema.Array(Tenant.TenantEvent)
      const events = moments.flatMap((moment) => moment.events)
      const stored = Schema.decodeUnknownSync(codec)(
        JSON.parse(JSON.stringify(Schema.encodeSync(codec)(events)))
      )
      assert.deepStrictEqual(
        stored.reduce(Tenant.evolve, Tenant.initial()),
        moments.at(-1)?.after ?? Tenant.initial()
      )
    })
  })

  it("INV-JRN-8 leaves the rows and names that a rebuild makes of it", () => {
    always((moments) => {
      const appends = moments.map(({ events }) => events)
      for (const size of pageSizes) {
        assert.deepStrictEqual(
          rebuilt(TenantModel.model, Specimens.workspaceId(1), appends, size),
          left(TenantModel.model, Specimens.workspaceId(1), appends)
        )
      }
    })
  })
})

describe("TokenRecord", () => {
  it("INV-TEN-4 holds a SHA-256 and refuses anything else, a token above all", () => {
    const decode = Schema.decodeUnknownResult(Tenant.TokenRecord)
    const token = { id: "first", canWrite: true }
    assert.isTrue(Result.isSuccess(decode({ ...token, hash: "0123456789abcdef".repeat(4) })))
    for (const hash of [
      `sfw_${Specimens.workspaceId(1)}_${"a".repeat(43)}`,
      "",
      "A".repeat(64),
      "a".repeat(63)
    ]) {
      assert.isTrue(Result.isFailure(decode({ ...token, hash })))
    }
  })
})
