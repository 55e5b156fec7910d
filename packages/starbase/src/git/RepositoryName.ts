/** Which bare repository, and where it lies. */
import { join } from "node:path"
import { ProjectId } from "@starform/domain/ids/Ids"
import { Slug } from "@starform/domain/ids/Slug"
import * as Schema from "effect/Schema"

export const RepositoryName = Schema.Struct({ projectId: ProjectId, service: Slug })
export type RepositoryName = typeof RepositoryName.Type

/** Folder of a repository below the root of all of them. */
export const pathIn = (root: string, { projectId, service }: RepositoryName): string =>
  join(root, projectId, `${service}.git`)
