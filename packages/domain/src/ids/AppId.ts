/** The identity of the deployable unit, one service in one environment, and the tenant key of its telemetry. */
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { ProjectId, ServiceId } from "./Ids.ts"
import { EnvironmentName } from "./Slug.ts"

const pattern = /^[0-9a-f-]{36}\/[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?\/[0-9a-f-]{36}$/

/** `<project uuid>/<environment>/<service uuid>`. */
export const AppId = Schema.String.check(Schema.isPattern(pattern)).pipe(Schema.brand("AppId"))
export type AppId = typeof AppId.Type

/** The three parts that an `AppId` is made of. */
export const AppKey = Schema.Struct({
  projectId: ProjectId,
  environment: EnvironmentName,
  serviceId: ServiceId
})
export type AppKey = typeof AppKey.Type

/** Total: every valid key has exactly one id, and `parse` is its inverse. */
export const format = (key: AppKey): AppId =>
  AppId.make(`${key.projectId}/${key.environment}/${key.serviceId}`)

const decodeKey = Schema.decodeUnknownResult(AppKey)

/** Fails when a part does not fit its own grammar, which the pattern of `AppId` alone does not promise. */
export const parse = (id: AppId): Result.Result<AppKey, Schema.SchemaError> => {
  const [projectId, environment, serviceId] = id.split("/")
  return decodeKey({ projectId, environment, serviceId })
}
