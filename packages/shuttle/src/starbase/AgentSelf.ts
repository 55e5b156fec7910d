/** What this agent says of itself with each request. */
import { format } from "@starform/domain/desired/DesiredState"
import { formatHeader, starformVersion, versionHeader } from "@starform/domain/protocol/VersionSkew"

export const selfHeaders = { [versionHeader]: starformVersion, [formatHeader]: String(format) } as const
