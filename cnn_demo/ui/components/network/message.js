// The overview (cnn_demo/inspect/overview.py): columns of maps, and what feeds them.

function readMessage(bytes) {
  const { found, array } = openBytes(bytes);
  for (const column of found.columns) {
    column.bytes = array(column.maps);
    for (const feed of column.feeds)
      for (const name of ["parts", "rest", "size"]) if (feed[name]) feed[name] = array(feed[name]);
  }
  return found;
}

// What feeds the map at a place of a column, for this image: lines to maps in sight, and what else there is.
// Each line: { column, at, part }; part is null where there is no sum to take apart.
function findFeeds(message, number, place) {
  const column = message.columns[number];
  const lines = [], others = [];
  for (const feed of column.feeds) {
    const source = feed.source === null ? null : message.columns[feed.source];
    if (feed.kind === "same" && source) {
      const at = source.channels.indexOf(column.channels[place]);
      if (at >= 0) lines.push({ column: feed.source, at, part: null, same: true });
      else others.push({ kind: "hidden", column: feed.source });
    } else if (feed.kind === "mixed" && source) {
      source.channels.forEach((_, at) => lines.push({ column: feed.source, at, part: null }));
      others.push({ kind: "mixed", column: feed.source });
    } else if (feed.kind === "sum") {
      const count = source.channels.length, top = feed.top[place];
      let sum = feed.rest[place];
      for (let at = 0; at < count; at++) {
        const part = feed.parts[place * count + at];
        sum += part;
        if (part) lines.push({ column: feed.source, at, part });
      }
      // A few are named, all others are summed: together they are the whole.
      const named = top.reduce((whole, [, part]) => whole + part, 0);
      others.push({ kind: "top", column: feed.source, top, n: source.shape[0] - top.length, part: sum - named });
    } else if (feed.kind === "inside") {
      others.push({ kind: "inside", part: feed.rest[place] });
    }
  }
  return { lines, others };
}
