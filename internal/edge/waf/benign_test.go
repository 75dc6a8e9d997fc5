package waf_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/edge/waf"
)

// benign is a class of requests that nobody should block.
type benign struct {
	name  string
	n     int
	floor float64 // percent of them that may be blocked
	make  func(a author, i int) *http.Request
	skip  []string
}

// sent puts a text into one of the places that people write into.
func sent(a author, text string) *http.Request {
	return locations[[]int{1, 4, 5, 6}[a.IntN(4)]].put(text, false)
}

func inJSON(v any) *http.Request {
	doc, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return request("POST", "/api/v1/things", "application/json", string(doc))
}

func (a author) bytes(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(a.Uint32())
	}
	return out
}

func (a author) uuid() string {
	b := a.bytes(16)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (a author) browser() string {
	return a.one(
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%d.3 Safari/605.1.15",
		"Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/128.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_%d like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
		"Mozilla/5.0 (compatible; Googlebot/2.%d; +http://www.google.com/bot.html)",
		"curl/8.%d.0", "okhttp/4.%d.0", "python-requests/2.%d", "Go-http-client/1.%d", "aws-sdk-go-v2/1.%d.0 os/linux lang/go#1.26 md/GOOS#linux md/GOARCH#amd64 api/s3#1.114.8",
		"Slackbot-LinkExpanding 1.%d (+https://api.slack.com/robots)", "ShareX/16.%d",
	)
}

var goCode = []string{
	"func {verb}(x *{thing}) error {\n\tif x == nil || len(x.{things}) == 0 {\n\t\treturn fmt.Errorf(\"{verb} %q: %w\", x.name, err)\n\t}\n\tfor i := range x.{things} {\n\t\tx.{things}[i] <- {num}\n\t}\n\treturn nil // {clause}\n}",
	"type {thing} struct {\n\tName string `json:\"name,omitempty\"`\n\tAge  int    // {clause}\n}\n\nvar _ = map[string]int{\"{thing}\": {num}}",
	"/* {verb} the {thing} */\nselect {\ncase v := <-ch:\n\tlog.Info(\"{verb}\", \"{thing}\", v)\ncase <-ctx.Done():\n\treturn ctx.Err()\n}",
}

var jsCode = []string{
	"const {thing} = async (id) => {\n  const res = await fetch(`/api/{things}/${id}?x={num}`);\n  if (!res.ok && res.status !== 404) throw new Error('{verb} ' + id);\n  return res.json(); // {clause}\n};",
	"{things}.filter(x => x.id > {num} && x.name === \"{thing}\").map(({ id }) => ({ id, '{thing}': true }));",
	"import { {verb} } from './{thing}.js';\nexport default function () { return a || b ? 'yes' : \"no\"; }\n// TODO: {clause}",
	"for (let i = 0; i < {things}.length; i++) {\n  if (i % 2 == 0) continue;\n  console.log('{thing} #' + i);\n}",
}

var htmlCode = []string{
	"<p>The <b>{adj}</b> {thing} is <em>{mood}</em> here; see <a href=\"https://example.com/{thing}?a=1&amp;b=2\">this</a>.</p>",
	"<ul><li>{thing}</li><li class=\"x-{num}\">{clause}</li></ul>",
	"<table><tr><th>{thing}</th><td>{num}</td></tr></table><br/><hr>",
	"<h1 id=\"{thing}\">{adj} {thing}</h1><img src=\"/img/{num}.png\" alt=\"{person}\" width={num}>",
}

var sqlNotes = []string{
	"SELECT name, count(*) FROM {things} WHERE age > {num} AND city = 'Kraków' GROUP BY name HAVING count(*) > 1 ORDER BY 2 DESC LIMIT 10;",
	"INSERT INTO {things} (id, name) VALUES ({num}, 'O''Brien');",
	"UPDATE {things} SET name = 'x' WHERE id = {num}; -- {clause}",
	"Use UNION ALL to join: SELECT a FROM t UNION ALL SELECT b FROM u; DROP TABLE {things};",
}

var classes = []benign{
	{name: "prose", n: 1200, floor: 1, make: func(a author, _ int) *http.Request { return sent(a, a.paragraph(sentences, 1+a.IntN(5))) }},
	{name: "other languages", n: 400, floor: 1, make: func(a author, _ int) *http.Request { return sent(a, a.paragraph(foreign, 1+a.IntN(3))) }},
	{name: "names", n: 200, floor: 1, make: func(a author, _ int) *http.Request {
		first := a.one("Anna", "Seán", "Jean-Pierre", "María José", "D'Arcy", "Ng", "Ivana", "Thu'", "Ana \"Nana\"", "J.R.")
		last := a.one("O'Brien", "O'Connor-Smith", "d'Artagnan", "Van 't Hoff", "L'Écuyer", "McDonald & Sons", "Müller", "de la Cruz", "N'Diaye", "Or", "Null", "True", "Select", "Union", "O'R", "Drop")
		return sent(a, first+" "+last)
	}},
	{name: "search queries", n: 400, floor: 1, make: func(a author, _ int) *http.Request { return locations[1].put(a.fill(a.one(searches...)), false) }},
	{name: "Markdown", n: 300, floor: 2, make: func(a author, _ int) *http.Request { return sent(a, a.markdown()) }},
	{name: "Go code", n: 100, floor: 5, make: func(a author, _ int) *http.Request { return sent(a, a.fill(a.code(goCode))) }},
	{name: "JavaScript code", n: 100, floor: 5, make: func(a author, _ int) *http.Request { return sent(a, a.fill(a.code(jsCode))) }},
	{name: "plain HTML", n: 100, floor: 5, make: func(a author, _ int) *http.Request { return sent(a, a.fill(a.code(htmlCode))) }},
	{name: "SQL notes, excepted", n: 100, skip: []string{"body.note"}, make: func(a author, _ int) *http.Request {
		return inJSON(map[string]any{"title": a.fill("{adj} {thing}"), "note": a.fill(a.one(sqlNotes...))})
	}},
	{name: "JSON APIs", n: 300, floor: 1, make: func(a author, i int) *http.Request {
		return inJSON(map[string]any{
			"id": a.uuid(), "created_at": fmt.Sprintf("2026-11-%02dT10:%02d:00.000Z", 1+i%28, i%60), "amount": float64(i) / 7, "currency": "EUR", "ok": i%2 == 0,
			"user":   map[string]any{"name": a.fill("{person}"), "email": fmt.Sprintf("a.b+c%d@example.co.uk", i), "phone": "+48 (22) 555-01-0" + fmt.Sprint(i%9)},
			"tags":   []string{a.fill("{thing}:{adj}"), a.fill("{verb}/{thing}"), "k=v", "a&b", "x->y"},
			"filter": a.one("status:open AND assignee:me", "created >= 2026-01-01", "name ~ \"{thing}\"", "price<100;stock>0", "(a|b)&c", "-created,+name"),
			"query":  map[string]any{"$or": []any{map[string]any{"a": 1}, map[string]any{"b": map[string]any{"$in": []int{1, 2}}}}},
			"note":   a.fill(a.one(sentences...)), "path": "/var/lib/x;v=1", "regex": `^\d{3}-[a-z]+$`, "color": "#ff00aa", "css": "margin: 0 auto; width: calc(100% - 2px)", "version": "1.2.3-rc.1+build.5",
		})
	}},
	{name: "multipart uploads", n: 150, floor: 1, make: func(a author, i int) *http.Request {
		return upload("file", a.one("Screenshot 2026-11-26 at 10.31.07.png", "O'Brien's CV (final) v2.pdf", "a & b; c.txt", "résumé – Zoë.docx", "IMG_0001.JPG", "report#3 [draft] 50%.xlsx", "x--y--z.tar.gz", "it's \"quoted\".md"), string(a.bytes(400+i)))
	}},
	{name: "URLs as parameters", n: 200, floor: 1, make: func(a author, i int) *http.Request {
		target := fmt.Sprintf(a.one("https://example.com/a/b?c=%d&d=e#f", "https://user@example.com:8443/x;y=1?z=%d", "/login?next=%%2Fboards%%2F%d%%3Ftab%%3Drecent", "https://maps.example.com/@52.2,21.0,%dz/data=!3m1!4b1", "mailto:a.b@example.com?subject=Hi%%20%d", "https://example.com/?utm_source=x&utm_medium=e-mail&gclid=Cj0KCQ-%d_wcB", "ftp://example.com/%d/x.tar.gz", "data:image/png;base64,iVBORw0KGgo%d"), i)
		if a.IntN(2) == 0 {
			return locations[3].put(target, false)
		}
		return locations[1].put(target, false)
	}},
	{name: "base64, UUIDs, tokens", n: 300, floor: 1, make: func(a author, i int) *http.Request {
		b := a.bytes(20 + i%60)
		return locations[a.one("\x01", "\x02", "\x04", "\x05")[0]].put(a.one(
			base64.StdEncoding.EncodeToString(b), base64.URLEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b)+"."+base64.RawURLEncoding.EncodeToString(b),
			a.uuid(), fmt.Sprintf("%x", b), fmt.Sprintf("78--%x", b[:6]), fmt.Sprintf("sha256:%x", b), fmt.Sprintf("%d-%x--", i, b[:4]), fmt.Sprintf("0x%x", b[:20])), false)
	}},
	{name: "cookies of analytics", n: 200, floor: 1, make: func(a author, i int) *http.Request {
		r := request("GET", "/", "", "")
		r.Header.Set("Cookie", strings.Join([]string{
			fmt.Sprintf("_ga=GA1.2.%d.1698765432", a.Uint32()), fmt.Sprintf("_gid=GA1.2.%d", a.Uint32()), fmt.Sprintf("_fbp=fb.1.1698765432.%d", a.Uint32()),
			"OptanonConsent=isGpcEnabled=0&datestamp=Thu+Nov+26+2026+10%3A31%3A07+GMT%2B0100+(Central+European+Standard+Time)&version=6.17.0&groups=C0001%3A1%2CC0002%3A0",
			fmt.Sprintf("__utmz=%d.1.1.utmcsr=google|utmccn=(organic)|utmcmd=organic|utmctr=(not%%20provided)", i), fmt.Sprintf("amplitude_id=%s", base64.StdEncoding.EncodeToString(a.bytes(30))),
			"prefs={\"theme\":\"dark\",\"cols\":[1,2,3]}", fmt.Sprintf("sid=s%%3A%s.%s", a.uuid(), base64.RawURLEncoding.EncodeToString(a.bytes(20))), "intercom-session=" + base64.StdEncoding.EncodeToString(a.bytes(40)) + "--" + fmt.Sprintf("%x", a.bytes(20)),
			"tz=Europe%2FWarsaw", "cart=" + url.QueryEscape(`[{"sku":"A-1","qty":2}]`), "_hjSessionUser_1=eyJpZCI6IjEifQ==", "lang=en-GB", "seen=1|2|3", "ab=a:1;b=2",
		}[i%5:], "; "))
		return r
	}},
	{name: "browsers and referrers", n: 200, floor: 1, make: func(a author, i int) *http.Request {
		r := get()
		r.Header.Set("User-Agent", strings.ReplaceAll(a.browser(), "%d", fmt.Sprint(i)))
		r.Header.Set("Referer", a.one("https://www.google.com/", "https://www.bing.com/search?q=o%27brien+photos&form=QBLH", "https://t.co/a1b2", "android-app://com.slack/", "https://example.com/?q="+url.QueryEscape(a.fill(a.one(searches...)))))
		r.Header.Set("X-Forwarded-For", "203.0.113.9, 2001:db8::1, 198.51.100.4")
		return r
	}},
	{name: "paths", n: 200, floor: 1, make: func(a author, i int) *http.Request {
		return rawPath(request("GET", "/", "", ""), a.one("/restapis/a1b2c3/dev/_user_request_/x", "/static/app.3f2b8c1e.js", "/@scope%2fname/-/name-1.0.0.tgz", "/wiki/O'Brien_(surname)", "/a;v=1/b,c", "/~user/it's%20here.html", "/d/"+a.uuid(), "/tags/c%23", "/files/r%C3%A9sum%C3%A9.pdf", fmt.Sprintf("/2026/11/26/%s-and-%s-or-%s", a.fill("{thing}"), a.fill("{verb}"), a.fill("{thing}"))))
	}},
}

func (a author) code(of []string) string { return of[a.IntN(len(of))] }

// TestBenign counts what is blocked that should not be.
func TestBenign(t *testing.T) {
	f := &waf.Firewall{}
	var all tally
	requests := 0
	for seed, c := range classes {
		a := newAuthor(uint64(seed))
		for i := range c.n / every {
			r := c.make(a, i)
			v, matches := f.Examine(t.Context(), &waf.Request{ACL: waf.Default, HTTP: r, Client: visitor, Skip: c.skip})
			all.add(c.name, v.Block)
			requests++
			if v.Block && testing.Verbose() {
				t.Logf("%s: %s in %s: %q", c.name, v.Rule, matches[0].Field, matches[0].Value)
			}
		}
		if got := all.rate(c.name); got > c.floor && every == 1 {
			t.Errorf("%s: %.2f %% are blocked, want %.2f at most", c.name, got, c.floor)
		}
	}
	all.log(t, "blocked without a reason")
	if requests*every < 2000 {
		t.Errorf("%d requests; there must be 2,000", requests)
	}
}
