package main

import (
	"image"
	"image/color"
	"math"
)

// landscape paints hills under a sky; the code picks the colours and the shape.
func landscape(code string) image.Image {
	w, h, seed := 1600, 1000, 0.0
	for _, c := range code {
		seed = math.Mod(seed*1.7+float64(c), 97)
	}
	if code == "Image02" {
		w, h = 1000, 1400
	}
	dusk := int(seed)%2 == 0
	top, low, far, near := color.RGBA{26, 42, 74, 255}, color.RGBA{246, 176, 128, 255}, color.RGBA{150, 112, 128, 255}, color.RGBA{22, 28, 44, 255}
	if dusk {
		top, low, far, near = color.RGBA{64, 132, 140, 255}, color.RGBA{250, 226, 186, 255}, color.RGBA{142, 172, 164, 255}, color.RGBA{14, 46, 50, 255}
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	const hills = 6
	for x := range w {
		fx := float64(x) / 1600
		var crest [hills]float64
		for i := range crest {
			f := float64(i)
			crest[i] = float64(h) * (0.46 + 0.09*f + 0.05*math.Sin(fx*(3.1+f)+seed+f*2.3) + 0.02*math.Sin(fx*(9+2*f)+seed*f))
		}
		for y := range h {
			img.SetRGBA(x, y, pixel(x, y, w, h, crest[:], top, low, far, near))
		}
	}
	return img
}

func pixel(x, y, w, h int, crest []float64, top, low, far, near color.RGBA) color.RGBA {
	fy := float64(y)
	c := blend(top, low, math.Min(1, fy/(0.6*float64(h))))
	sun := math.Hypot(float64(x)-0.68*float64(w), fy-0.36*float64(h)) / float64(w)
	c = blend(c, color.RGBA{255, 240, 214, 255}, math.Max(0, 0.55-sun*2.2)+cover(0.055*float64(w)-sun*float64(w))*0.7)
	for i, top := range crest {
		hill := blend(far, near, float64(i)/float64(len(crest)-1))
		c = blend(c, hill, cover(fy-top))
	}
	return c
}

// cover turns a distance in pixels to an edge into how much of the pixel is inside.
func cover(d float64) float64 { return math.Max(0, math.Min(1, d+0.5)) }

func blend(a, b color.RGBA, t float64) color.RGBA {
	t = math.Max(0, math.Min(1, t))
	mix := func(x, y uint8) uint8 { return uint8(float64(x) + (float64(y)-float64(x))*t) }
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}

const sampleProse = `<h1>Notes on the launch</h1>
<p>We open the doors on <strong>Thursday at nine</strong>. Everything below is settled; what is still open has a name beside it.</p>
<h2>What goes out</h2>
<ul><li>Uploads of any size, with <em>resume</em></li><li>Links that <a href="https://example.com/">expire</a></li><li>A page that stays under <code>30 KB</code></li></ul>
<blockquote><p>Ship the link first; the bytes can follow.</p></blockquote>
<h2>Numbers we watch</h2>
<table><thead><tr><th>What</th><th>Goal</th></tr></thead><tbody><tr><td>Time to link</td><td>120 ms</td></tr><tr><td>Page, first paint</td><td>under 1 s</td></tr></tbody></table>
<pre><code>curl -F file=@shot.png http://127.0.0.1:8080/
</code></pre>`

const sampleCode = `<pre class="chroma"><code><span class="line"><span class="cl"><span class="c1">// publish appends a message and waits until it is on disk.</span>
</span></span><span class="line"><span class="cl"><span class="kd">func</span> <span class="p">(</span><span class="nx">t</span> <span class="o">*</span><span class="nx">Topics</span><span class="p">)</span> <span class="nf">Publish</span><span class="p">(</span><span class="nx">ctx</span> <span class="nx">context</span><span class="p">.</span><span class="nx">Context</span><span class="p">,</span> <span class="nx">in</span> <span class="nx">Input</span><span class="p">)</span> <span class="p">(</span><span class="nx">Output</span><span class="p">,</span> <span class="kt">error</span><span class="p">)</span> <span class="p">{</span>
</span></span><span class="line"><span class="cl">	<span class="k">if</span> <span class="nb">len</span><span class="p">(</span><span class="nx">in</span><span class="p">.</span><span class="nx">Message</span><span class="p">)</span> <span class="p">&gt;</span> <span class="mi">262144</span> <span class="p">{</span>
</span></span><span class="line"><span class="cl">		<span class="k">return</span> <span class="nx">Output</span><span class="p">{},</span> <span class="nx">fault</span><span class="p">.</span><span class="nf">Errorf</span><span class="p">(</span><span class="nx">fault</span><span class="p">.</span><span class="nx">TooLarge</span><span class="p">,</span> <span class="s">&#34;message: %d bytes, the limit is 256 KB&#34;</span><span class="p">,</span> <span class="nb">len</span><span class="p">(</span><span class="nx">in</span><span class="p">.</span><span class="nx">Message</span><span class="p">))</span>
</span></span><span class="line"><span class="cl">	<span class="p">}</span>
</span></span><span class="line"><span class="cl">	<span class="nx">seq</span><span class="p">,</span> <span class="nx">err</span> <span class="o">:=</span> <span class="nx">t</span><span class="p">.</span><span class="nx">Streams</span><span class="p">.</span><span class="nf">Append</span><span class="p">(</span><span class="nx">ctx</span><span class="p">,</span> <span class="nx">in</span><span class="p">.</span><span class="nx">Topic</span><span class="p">,</span> <span class="nx">in</span><span class="p">.</span><span class="nx">Message</span><span class="p">)</span>
</span></span><span class="line"><span class="cl">	<span class="k">if</span> <span class="nx">err</span> <span class="o">!=</span> <span class="kc">nil</span> <span class="p">{</span>
</span></span><span class="line"><span class="cl">		<span class="k">return</span> <span class="nx">Output</span><span class="p">{},</span> <span class="nx">fmt</span><span class="p">.</span><span class="nf">Errorf</span><span class="p">(</span><span class="s">&#34;publish to %s: %w&#34;</span><span class="p">,</span> <span class="nx">in</span><span class="p">.</span><span class="nx">Topic</span><span class="p">,</span> <span class="nx">err</span><span class="p">)</span>
</span></span><span class="line"><span class="cl">	<span class="p">}</span>
</span></span><span class="line"><span class="cl">	<span class="k">return</span> <span class="nx">Output</span><span class="p">{</span><span class="nx">Sequence</span><span class="p">:</span> <span class="nx">seq</span><span class="p">},</span> <span class="kc">nil</span>
</span></span><span class="line"><span class="cl"><span class="p">}</span>
</span></span></code></pre>`
