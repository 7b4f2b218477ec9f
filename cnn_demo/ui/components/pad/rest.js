// Asks for its fragment anew when the pen rests and the answer is to another picture than the fragment's.

const PAUSE = 200; // milliseconds without a change: between two strokes of a digit nothing else is computed

class Follower {
  constructor(channel) { this.channel = channel; }

  look() {
    clearTimeout(this.timer);
    if (this.channel.shown === this.version || this.channel.shown === this.asked) return;
    this.timer = setTimeout(() => {
      const { pad, shown } = this.channel;
      if (shown === this.version || shown === this.asked) return;
      if (pad?.canvas.isConnected && !pad.resting) return; // the next answer brings us back
      this.asked = shown;
      this.send("rest", shown);
    }, PAUSE);
  }
}

const followers = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  hideElement(parentElement);
  const channel = openChannel(data.channel);
  let follower = followers.get(parentElement);
  if (!follower) {
    follower = new Follower(channel);
    followers.set(parentElement, follower);
  }
  channel.followers.add(follower);
  Object.assign(follower, { version: data.version, send: setStateValue });
  follower.look();
  return () => {
    clearTimeout(follower.timer);
    channel.followers.delete(follower);
  };
}
