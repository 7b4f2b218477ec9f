// Arrives after the answer: the pad may send its next picture, and those who wait for the pen look whether it rests.

export default function ({ data, parentElement }) {
  hideElement(parentElement);
  const channel = openChannel(data.channel);
  channel.shown = data.version;
  channel.pad?.answered(data.seq);
  for (const follower of channel.followers) follower.look();
}
