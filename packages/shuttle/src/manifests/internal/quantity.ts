/** As the API server itself writes them, so that what was sent and what is shown are the same text. */
export const cpuQuantity = (millicores: number): string =>
  millicores % 1000 === 0 ? String(millicores / 1000) : `${millicores}m`

export const memoryQuantity = (mebibytes: number): string =>
  mebibytes !== 0 && mebibytes % 1024 === 0 ? `${mebibytes / 1024}Gi` : `${mebibytes}Mi`
