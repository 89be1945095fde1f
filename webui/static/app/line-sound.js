// Plays a line while it talks: raw samples as they are recorded, laid end to end on the browser's own audio clock.
const AHEAD_S = 0.3; // room for an uneven network
const LATE_S = 0.9; // more than this behind: what is late is left out

export class LineSound {
  #stopped = new AbortController();
  #context = new AudioContext();
  #next = 0;

  // `ended` is called once, with a sentence when it did not end by itself.
  constructor(address, ended) {
    this.ended = ended;
    this.#play(address);
  }

  stop() {
    this.#stopped.abort();
  }

  async #play(address) {
    let fault = "";
    try {
      const answer = await fetch(address, { signal: this.#stopped.signal });
      if (!answer.ok) throw new Error(await answer.text());
      const rate = Number(answer.headers.get("X-Rate-Hz"));
      const channels = Number(answer.headers.get("X-Channels"));
      const reader = answer.body.getReader();
      let left = new Uint8Array(0);
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const bytes = new Uint8Array(left.length + value.length);
        bytes.set(left);
        bytes.set(value, left.length);
        const frames = Math.floor(bytes.length / (2 * channels));
        left = bytes.slice(frames * 2 * channels);
        if (frames) this.#schedule(new Int16Array(bytes.buffer.slice(0, frames * 2 * channels)), frames, channels, rate);
      }
    } catch (error) {
      if (error.name !== "AbortError") fault = error.message;
    }
    this.#context.close();
    this.ended(fault);
  }

  #schedule(samples, frames, channels, rate) {
    const now = this.#context.currentTime;
    if (this.#next > now + LATE_S) return;
    const buffer = this.#context.createBuffer(channels, frames, rate);
    for (let channel = 0; channel < channels; channel += 1) {
      const out = buffer.getChannelData(channel);
      for (let n = 0; n < frames; n += 1) out[n] = samples[n * channels + channel] / 32768;
    }
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    if (this.#next < now) this.#next = now + AHEAD_S;
    source.start(this.#next);
    this.#next += frames / rate;
  }
}
