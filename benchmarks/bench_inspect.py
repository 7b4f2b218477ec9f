"""Claims: all 96 maps of ``cnn`` from image to bytes within 60 ms, the 20 convolutions of ResNet-18 on 28 × 28 within
700 ms, a hover in the explorer within 8 ms and without a message, half of all clicks answered with arithmetic within
150 ms, the overview of ``cnn`` from image to bytes within 150 ms and a hover in it within 8 ms, the nine best patches
of every channel of ``cnn`` over mnist-mini's 10,000 images within 6 s cold and 50 ms cached.

Two threads, mnist-mini, random weights (the arithmetic is the same), headless Chromium.
"""

from __future__ import annotations

import argparse
import json
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from playwright.sync_api import sync_playwright

from benchmarks.bench_app import open_chromium
from benchmarks.common import machine, quantile, server, spread, verdict
from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.splits import Split
from cnn_demo.inspect.overview import pack_overview
from cnn_demo.inspect.patches import cached_statistics
from cnn_demo.inspect.scene import ViewOptions, pack_scene, run_scene
from cnn_demo.models.registry import create_model

# Moves the pointer over a layer at random and gives the milliseconds until each handler has returned.
HOVER = """
([layer, count]) => {
  const root = [...document.querySelectorAll('*')].map((e) => e.shadowRoot).find((r) => r?.querySelector('.stack'));
  const stage = root.querySelector(`.stack .stage[data-layer="${layer}"]`);
  const box = stage.getBoundingClientRect();
  return Array.from({ length: count }, () => {
    const clientX = box.left + Math.random() * box.width, clientY = box.top + Math.random() * box.height;
    const began = performance.now();
    stage.dispatchEvent(new PointerEvent('pointermove', { clientX, clientY, bubbles: true, composed: true }));
    return performance.now() - began;
  });
}
"""

# Pins a unit at random and gives the milliseconds until its numbers are drawn.
CLICK = """
(layer) => {
  const roots = [...document.querySelectorAll('*')].map((e) => e.shadowRoot).filter(Boolean);
  const stage = roots.flatMap((r) => [...r.querySelectorAll(`.stack .stage[data-layer="${layer}"]`)])[0];
  const panel = roots.flatMap((r) => [...r.querySelectorAll('.lab')]).find((l) => !l.querySelector('.stack'));
  const box = stage.getBoundingClientRect();
  return new Promise((resolve) => {
    const began = performance.now();
    const before = panel.querySelector('.title')?.textContent;
    const watch = new MutationObserver(() => {
      const sums = panel.querySelector('.sums');
      if (sums.hasAttribute('aria-busy') || !sums.querySelector('.check')) return;
      watch.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
    });
    watch.observe(panel, { subtree: true, childList: true, attributes: true });
    for (let tries = 0; tries < 50; tries++) {
      const clientX = box.left + Math.random() * box.width, clientY = box.top + Math.random() * box.height;
      stage.dispatchEvent(new MouseEvent('click', { clientX, clientY, bubbles: true, composed: true }));
      if (panel.querySelector('.title') && panel.querySelector('.title').textContent !== before) return;
    }
  });
}
"""


def milliseconds(work: Callable[[], Any], count: int) -> list[float]:
    work()
    found = []
    for _round in range(count):
        began = time.perf_counter()
        work()
        found.append((time.perf_counter() - began) * 1e3)
    return found


def maps(name: str, kinds: tuple[str, ...], count: int) -> None:
    data = load_dataset("mnist-mini")
    torch.manual_seed(0)
    model = create_model(name).eval()
    image = data.test.images[0]

    def once() -> bytes:
        return pack_scene(run_scene(model, image.numpy(), normalize(image[None], data.spec)), ViewOptions(kinds))

    found = milliseconds(once, count)
    packed = once()
    (length,) = struct.unpack_from("<I", packed)
    shown = json.loads(packed[4 : 4 + length])["shown"]
    print(f"{name}, {len(shown)} layers, from image to {len(packed) / 1e3:,.0f} kB: {spread(found, ' ms', 1)}")
    limit = {"cnn": 60, "resnet18": 700}[name]
    print(verdict(f"{name}, maps from image to bytes, p95 in ms", quantile(found, 0.95), limit, at_least=False))


# Points at a map of the overview at random and gives the milliseconds until its handler has returned.
HOVER_OVERVIEW = """
(count) => {
  const root = [...document.querySelectorAll('*')].map((e) => e.shadowRoot).find((r) => r?.querySelector('.column'));
  const maps = [...root.querySelectorAll('.column .map')];
  return Array.from({ length: count }, () => {
    const map = maps[Math.floor(Math.random() * maps.length)];
    const began = performance.now();
    map.dispatchEvent(new PointerEvent('pointerenter', { pointerType: 'mouse' }));
    return performance.now() - began;
  });
}
"""


def overview(count: int) -> None:
    """The whole network on one screen: from the image to the bytes, and a hover in the browser."""
    data = load_dataset("mnist-mini")
    torch.manual_seed(0)
    model = create_model("cnn").eval()
    images = iter(data.test.images)

    def once() -> bytes:
        image = next(images)
        scene = run_scene(model, image.numpy(), normalize(image[None], data.spec))
        return pack_overview(scene, scene.maps[scene.layers[-1].name].flatten().softmax(0).numpy(), id="x")

    found = milliseconds(once, count)
    print(f"overview, cnn, from image to {len(once()) / 1e3:,.0f} kB: {spread(found, ' ms', 1)}")
    print(verdict("overview, cnn, p95 in ms", quantile(found, 0.95), 150, at_least=False))
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (_process, address), sync_playwright() as p:
        browser = open_chromium(p)
        for name in ("cnn", "resnet18"):
            page = browser.new_page(viewport={"width": 1440, "height": 1200})
            page.goto(f"{address}/feature_maps?net=untrained:{name}&lang=en")
            page.locator(".column .map").first.wait_for(timeout=120_000)
            page.wait_for_timeout(3_000)
            found = page.evaluate(HOVER_OVERVIEW, count * 10)
            print(f"hover in the overview, {name}: {spread(found, ' ms')}, p95 {quantile(found, 0.95):.2f}")
            print(verdict(f"hover in the overview, {name}, p95 in ms", quantile(found, 0.95), 8, at_least=False))
        browser.close()


def patches(count: int) -> None:
    data = load_dataset("mnist-mini")
    both = Split(torch.cat([data.train.images, data.test.images]), torch.cat([data.train.labels, data.test.labels]))
    torch.manual_seed(0)
    model = create_model("cnn").eval()
    cold: list[float] = []
    cached: list[float] = []
    for _round in range(count):
        with tempfile.TemporaryDirectory() as folder:
            for times in (cold, cached, cached):
                began = time.perf_counter()
                cached_statistics(Path(folder), model, both, data.spec)
                times.append(time.perf_counter() - began)
    print(f"nine best patches of 96 channels over {len(both):,} images: cold {spread(cold, ' s')}")
    print(f"  cached {spread([v * 1e3 for v in cached], ' ms', 1)}")
    print(verdict("patches, cold, median in s", quantile(cold, 0.5), 6, at_least=False))
    print(verdict("patches, cached, p95 in ms", quantile(cached, 0.95) * 1e3, 50, at_least=False))


def explorer(hovers: int, clicks: int) -> None:
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (_process, address), sync_playwright() as p:
        browser = open_chromium(p)
        for name, layers in (("cnn", ("conv1", "conv2", "fc1")), ("resnet18", ("layer1.0.conv1", "layer4.1.conv2"))):
            page = browser.new_page(viewport={"width": 1440, "height": 1200})
            page.goto(f"{address}/feature_maps?net=untrained:{name}&lang=en")
            page.locator(f'.stack .stage[data-layer="{layers[-1]}"]').wait_for(timeout=120_000)
            page.get_by_text("Switch channels off").wait_for(timeout=120_000)
            page.wait_for_timeout(15_000 if name == "cnn" else 3_000)  # the search for patches is over
            sent: list[Any] = []
            client = page.context.new_cdp_session(page)
            client.send("Network.enable")
            client.on("Network.webSocketFrameSent", lambda frame, sent=sent: sent.append(frame))
            found = [t for layer in layers[:2] for t in page.evaluate(HOVER, [layer, hovers])]
            print(f"hover, {name}: {spread(found, ' ms')}, messages sent: {len(sent)}")
            print(verdict(f"hover, {name}, p95 in ms", quantile(found, 0.95), 8, at_least=False))
            print(verdict(f"hover, {name}, messages", len(sent), 0, at_least=False))
            client.detach()
            for layer in layers:
                found = []
                for _round in range(clicks):
                    found.append(page.evaluate(CLICK, layer))
                    page.wait_for_timeout(600)  # the panels of the channel follow
                print(f"click to numbers, {name}, {layer}: {spread(found, ' ms', 0)}, p95 {quantile(found, 0.95):.0f}")
                print(verdict(f"click, {name}, {layer}, median in ms", quantile(found, 0.5), 150, at_least=False))
            page.close()
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--explorer", action="store_true", help="hover and click only")
    parser.add_argument("--overview", action="store_true", help="the whole network on one screen only")
    args = parser.parse_args()
    torch.set_num_threads(2)
    print(machine())
    overview(args.rounds)
    if args.overview:
        return
    if not args.explorer:
        maps("cnn", ("conv", "activation", "pool"), args.rounds)
        maps("resnet18", ("conv",), args.rounds)
        patches(max(1, args.rounds // 10))
    explorer(args.rounds * 10, args.rounds)


if __name__ == "__main__":
    main()
