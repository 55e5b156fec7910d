/**
 * The branded UUIDs of things that have an identity of their own. Slugs and names are beside this file:
 * they never change after creation, but nothing is keyed by them.
 */
import * as Schema from "effect/Schema"

/**
 * In lower case only: two spellings of one id would be two entities.
 *
 * @source RFC 9562, versions 1 to 8
 */
const uuid = Schema.String.check(
  Schema.isPattern(/^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
)

/** A tenant: billing boundary, members, plan. */
export const WorkspaceId = uuid.pipe(Schema.brand("WorkspaceId"))
export type WorkspaceId = typeof WorkspaceId.Type

/** Pinned to one cluster at creation; one namespace there. */
export const ProjectId = uuid.pipe(Schema.brand("ProjectId"))
export type ProjectId = typeof ProjectId.Type

/** What runs: web, worker or cron. One service has one app per environment. */
export const ServiceId = uuid.pipe(Schema.brand("ServiceId"))
export type ServiceId = typeof ServiceId.Type

/** One customer cluster, served by one Shuttle. */
export const ClusterId = uuid.pipe(Schema.brand("ClusterId"))
export type ClusterId = typeof ClusterId.Type

/** One act of making something live; spent for ever, also as the key of its workflow. */
export const DeployId = uuid.pipe(Schema.brand("DeployId"))
export type DeployId = typeof DeployId.Type

/** The immutable output of a build; may be deployed many times. */
export const ReleaseId = uuid.pipe(Schema.brand("ReleaseId"))
export type ReleaseId = typeof ReleaseId.Type

/** One run of a builder. Equal to the deploy's id: a deploy builds at most once. */
export const BuildId = uuid.pipe(Schema.brand("BuildId"))
export type BuildId = typeof BuildId.Type

/** A named set of variables of a project, attached to services. */
export const VarGroupId = uuid.pipe(Schema.brand("VarGroupId"))
export type VarGroupId = typeof VarGroupId.Type

/** Chosen by the caller; a repeat with the same id takes effect at most once per entity. 1–200 characters. */
export const RequestId = Schema.String.check(Schema.isBetweenLength(1, 200)).pipe(Schema.brand("RequestId"))
export type RequestId = typeof RequestId.Type
