// The groups that columns stand in, wherever one is chosen: in the filters, and under "Color by".

const HEADINGS = {
  labels: "Labels",
  model: "Classifier",
  metadata: "Metadata",
  words: "Sounds like",
  page: "Found by sound",
};

/** Sort what has a `group` into the groups that there are: [{ heading, members }], in the order of the groups.
 * @template {{ group: string }} Member @param {Member[]} all */
export function grouped(all) {
  const groups = Object.entries(HEADINGS).map(([group, heading]) => ({
    heading,
    members: all.filter((one) => one.group === group),
  }));
  return groups.filter(({ members }) => members.length > 0);
}
