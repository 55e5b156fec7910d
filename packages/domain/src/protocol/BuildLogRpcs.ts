/** Public RPCs on the logs of builds. An app's own output is not here: it stays in the app's cluster. */
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import { DeployId } from "../ids/Ids.ts"
import { BuildLogLine } from "../model/BuildLogLine.ts"
import { AppRef } from "./AppRpcs.ts"
import { Authentication } from "./Authentication.ts"
import { ReadError } from "./TenantRpcs.ts"

/**
 * The lines of one build, oldest first. `deployId` names a deploy; one that built nothing (a rollback, a restart) has
 * the log of the build that made its release. `null` is the newest push. Without `follow` the stream ends with the
 * newest line there is; with it, when nothing can follow any more: the log is complete, or the deploy has ended.
 * `fromChunk` (1 is the first) resumes: a reader whose connection broke asks from the chunk of the last line that it
 * got, and skips the lines up to that one.
 */
const FollowBuildLog = Rpc.make("FollowBuildLog", {
  payload: {
    app: AppRef,
    deployId: Schema.NullOr(DeployId),
    fromChunk: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
    follow: Schema.Boolean
  },
  success: BuildLogLine,
  error: ReadError,
  stream: true
})

export class BuildLogRpcs extends RpcGroup.make(FollowBuildLog).middleware(Authentication) {}
