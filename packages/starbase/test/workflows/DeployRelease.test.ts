import { randomUUID } from "node:crypto"
import { Duration, Effect, Redacted } from "effect"
import { DeployId } from "@starform/domain/ids/Ids"
import type { DeployKind } from "@starform/domain/model/Deploy"
import { BuildFailed } from "@starform/starbase/builds/BuildErrors"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"
import * as Specimens from "../entities/Specimens.ts"
import type { Script } from "../harness/ScriptedBuilder.ts"
import { activitiesConformance } from "./Disturbance.conformance.ts"

const config = (deadlines: { readonly build: Duration.Input; readonly rollout: Duration.Input }) =>
  StarbaseConfig.layerTest({
    databaseUrl: Redacted.make(""),
    databaseConnectionsMax: 1,
    host: "127.0.0.1",
    port: 0,
    runnerPort: 0,
    masterKey: Redacted.make(""),
    operatorTokenHash: "",
    dataDirectory: "",
    socketDirectory: "",
    gitSearchPath: "",
    gitPushBytesMax: 1,
    gitTreeEntriesMax: 200_000,
    gitTreeBytesMax: 1024 ** 3,
    gitHeartbeat: Duration.seconds(4),
    gitTokenLife: Duration.minutes(1),
    publicUrl: "http://127.0.0.1",
    appScheme: "http",
    appPortSuffix: "",
    appDomain: ".test",
    buildDeadline: Duration.fromInputUnsafe(deadlines.build),
    rolloutDeadline: Duration.fromInputUnsafe(deadlines.rollout)
  })

const patient = config({ build: "1 minute", rollout: "1 minute" })

const builds: Script = () =>
  Effect.succeed({
    digest: Specimens.digest(7),
    image: Specimens.image(7),
    processes: [{ name: Specimens.web, command: ["node", "server.js"] }],
    healthPath: null,
    durations: { queuedMs: 0, sourceMs: 0, installMs: 0, buildMs: 0, packageMs: 0, totalMs: 0 }
  })

const fails: Script = ({ buildId }) =>
  Effect.fail(
    new BuildFailed({
      buildId,
      code: "InstallFailed",
      reason: "npm ci ended with status 1",
      advice: "Run it on your machine.",
      output: ["npm error"]
    })
  )

/** A new app with a live release, and a deploy of it that was just accepted. */
const accept = (kind: DeployKind) =>
  Effect.gen(function* () {
    const entities = yield* EntityClients
    const identity = Specimens.uniqueIdentity()
    const { appId } = identity
    const { request } = Specimens
    const [first, deployId] = [DeployId.make(randomUUID()), DeployId.make(randomUUID())]
    yield* entities.app(appId, (app) => app.CreateApp({ ...request("create"), identity }))
    yield* entities.app(appId, (app) => app.AcceptPush(Specimens.push(first)))
    yield* entities.app(appId, (app) =>
      app.RecordRelease({ ...request("release"), ...Specimens.built(first) })
    )
    yield* entities.app(appId, (app) => app.StartRollout({ ...request("rollout"), deployId: first }))
    const { desired } = yield* entities.app(appId, (app) => app.GetApp())
    const observed = Specimens.observed(desired!, "available")
    yield* entities.app(appId, (app) => app.Observe({ principal: Specimens.operator, observed }))
    yield* kind === "push"
      ? entities.app(appId, (app) => app.AcceptPush(Specimens.push(deployId, 2)))
      : entities.app(appId, (app) => app.RollBack({ ...request("rollback"), deployId, release: 1 }))
    return { appId, deployId }
  })

activitiesConformance({
  name: "DeployRelease of a push",
  kind: "push",
  script: builds,
  config: patient,
  accept: accept("push"),
  leadsTo: "deploying"
})

activitiesConformance({
  name: "DeployRelease of a push that does not build",
  kind: "push",
  script: fails,
  config: patient,
  accept: accept("push"),
  leadsTo: "failed"
})

activitiesConformance({
  name: "DeployRelease of a push whose build does not end in time",
  kind: "push",
  script: () => Effect.never,
  config: config({ build: "30 millis", rollout: "1 minute" }),
  accept: accept("push"),
  leadsTo: "failed"
})

activitiesConformance({
  name: "DeployRelease of a rollback that nobody reports live in time",
  kind: "rollback",
  script: builds,
  config: config({ build: "1 minute", rollout: "30 millis" }),
  accept: accept("rollback"),
  leadsTo: "failed"
})
