package cache_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/edge/cache"
)

// seconds after the first request the second is made, and whether the origin is asked
// again for it.
type reuse struct {
	status int
	header []string
	first  []string // header of the first request
	second []string
	after  time.Duration
	policy func(*cache.Policy)
	errors time.Duration // TTL of errors; 0: of none
	asked  bool
}

func minTTL(d time.Duration) func(*cache.Policy) { return func(p *cache.Policy) { p.MinTTL = d } }

func TestReuse(t *testing.T) {
	const past, future = "Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2000 00:01:00 GMT" // the bubble's clock starts at the former
	for name, c := range map[string]reuse{
		// RFC 9111, section 4.2.1: the lifetime
		"max-age, fresh":                           {header: []string{"Cache-Control: max-age=60"}, after: 59 * time.Second},
		"max-age, stale":                           {header: []string{"Cache-Control: max-age=60"}, after: 60 * time.Second, asked: true},
		"s-maxage beats max-age, longer":           {header: []string{"Cache-Control: max-age=1, s-maxage=60"}, after: 59 * time.Second},
		"s-maxage beats max-age, shorter":          {header: []string{"Cache-Control: max-age=60, s-maxage=1"}, after: 2 * time.Second, asked: true},
		"max-age beats Expires":                    {header: []string{"Cache-Control: max-age=60", "Expires: " + past}, after: 59 * time.Second},
		"Expires, fresh":                           {header: []string{"Expires: " + future}, after: 59 * time.Second},
		"Expires, stale":                           {header: []string{"Expires: " + future}, after: 60 * time.Second, asked: true},
		"Expires: 0":                               {header: []string{"Expires: 0"}, asked: true},
		"Expires that is no date":                  {header: []string{"Expires: tomorrow"}, asked: true},
		"two Expires, the earlier counts":          {header: []string{"Expires: " + future, "Expires: " + past}, asked: true},
		"Expires is measured from Date":            {header: []string{"Date: Sat, 01 Jan 2000 00:00:30 GMT", "Expires: " + future}, after: 31 * time.Second, asked: true},
		"nothing said: the default":                {after: 86399 * time.Second},
		"nothing said: no longer than the default": {after: 86400 * time.Second, asked: true},
		"MaxTTL bounds max-age":                    {header: []string{"Cache-Control: max-age=60"}, policy: func(p *cache.Policy) { p.MaxTTL = 5 * time.Second }, after: 6 * time.Second, asked: true},
		"MinTTL extends max-age":                   {header: []string{"Cache-Control: max-age=1"}, policy: minTTL(60 * time.Second), after: 59 * time.Second},
		"MinTTL beats no-store":                    {header: []string{"Cache-Control: no-store"}, policy: minTTL(60 * time.Second), after: 59 * time.Second},
		"MinTTL beats private":                     {header: []string{"Cache-Control: private"}, policy: minTTL(60 * time.Second), after: 59 * time.Second},
		"MinTTL beats no-cache":                    {header: []string{"Cache-Control: no-cache"}, policy: minTTL(60 * time.Second), after: 59 * time.Second},
		"MinTTL does not beat Set-Cookie":          {header: []string{"Set-Cookie: a=b"}, policy: minTTL(60 * time.Second), asked: true},

		// section 4.2.1 and 5.2: values that make no sense
		"max-age in quotes":                 {header: []string{`Cache-Control: max-age="60"`}, after: 59 * time.Second},
		"max-age with a fraction is stale":  {header: []string{"Cache-Control: max-age=60.5"}, asked: true},
		"max-age below zero is stale":       {header: []string{"Cache-Control: max-age=-60"}, asked: true},
		"max-age of letters is stale":       {header: []string{"Cache-Control: max-age=abc"}, asked: true},
		"max-age without a value is stale":  {header: []string{"Cache-Control: max-age"}, asked: true},
		"max-age that overflows is long":    {header: []string{"Cache-Control: max-age=99999999999999999999"}, after: 1e9 * time.Second, policy: func(p *cache.Policy) { p.MaxTTL = 100 * year }},
		"two max-age, the stricter counts":  {header: []string{"Cache-Control: max-age=60, max-age=1"}, after: 2 * time.Second, asked: true},
		"two max-age in two lines":          {header: []string{"Cache-Control: max-age=1", "Cache-Control: max-age=60"}, after: 2 * time.Second, asked: true},
		"two max-age, one senseless":        {header: []string{"Cache-Control: max-age=60, max-age=x"}, asked: true},
		"names in capitals":                 {header: []string{"Cache-Control: MAX-AGE=60"}, after: 59 * time.Second},
		"unknown directives are skipped":    {header: []string{`Cache-Control: x="max-age=1, no-store", max-age=60, y`}, after: 59 * time.Second},
		"a string without end is senseless": {header: []string{`Cache-Control: max-age="60`}, asked: true},
		"empty elements":                    {header: []string{"Cache-Control: , ,max-age=60,,"}, after: 59 * time.Second},
		"space around the equals sign":      {header: []string{"Cache-Control: max-age = 60"}, asked: true},

		// section 4.2.3: age
		"Age counts":                        {header: []string{"Cache-Control: max-age=60", "Age: 50"}, after: 11 * time.Second, asked: true},
		"Age over max-age is stale at once": {header: []string{"Cache-Control: max-age=60", "Age: 60"}, asked: true},
		"Age that is no number is none":     {header: []string{"Cache-Control: max-age=60", "Age: old"}, after: 59 * time.Second},
		"of several Ages the first":         {header: []string{"Cache-Control: max-age=60", "Age: 0, 60"}, after: 59 * time.Second},
		"an old Date counts as age":         {header: []string{"Cache-Control: max-age=60", "Date: Fri, 31 Dec 1999 23:59:10 GMT"}, after: 11 * time.Second, asked: true},
		"a Date in the future is no age":    {header: []string{"Cache-Control: max-age=60", "Date: Sat, 01 Jan 2000 01:00:00 GMT"}, after: 59 * time.Second},

		// section 3 and 5.2.2: what is not stored
		"no-store":                                 {header: []string{"Cache-Control: no-store, max-age=60"}, asked: true},
		"private":                                  {header: []string{"Cache-Control: private, max-age=60"}, asked: true},
		"no-cache without a validator":             {header: []string{"Cache-Control: no-cache"}, asked: true},
		"no-cache with a validator":                {header: []string{"Cache-Control: no-cache, max-age=60", `ETag: "1"`}, asked: true},
		"Pragma: no-cache of the origin":           {header: []string{"Pragma: no-cache"}, asked: true},
		"Pragma does not count with Cache-Control": {header: []string{"Pragma: no-cache", "Cache-Control: max-age=60"}},
		"must-understand with a status we know":    {header: []string{"Cache-Control: must-understand, no-store, max-age=60"}},
		"must-understand with one we do not":       {status: 299, header: []string{"Cache-Control: must-understand, no-store, max-age=60"}, asked: true},
		"must-understand alone, of one we do not":  {status: 299, header: []string{"Cache-Control: must-understand, max-age=60"}, asked: true},
		"Set-Cookie":                               {header: []string{"Cache-Control: max-age=60", "Set-Cookie: a=b"}, asked: true},
		"Set-Cookie and public":                    {header: []string{"Cache-Control: public, max-age=60", "Set-Cookie: a=b"}, asked: true},
		"Set-Cookie left out by no-cache":          {header: []string{`Cache-Control: max-age=60, no-cache="Set-Cookie"`, "Set-Cookie: a=b"}},
		"Set-Cookie left out by private":           {header: []string{`Cache-Control: max-age=60, private="X, set-cookie"`, "Set-Cookie: a=b"}},
		"private with an empty list is private":    {header: []string{`Cache-Control: max-age=60, private=""`}, asked: true},
		"Vary: *":                                  {header: []string{"Cache-Control: max-age=60", "Vary: Accept, *"}, asked: true},
		"no-store of the client":                   {header: []string{"Cache-Control: max-age=60"}, first: []string{"Cache-Control: no-store"}, asked: true},
		"no-store of a later client":               {header: []string{"Cache-Control: max-age=60"}, second: []string{"Cache-Control: no-store"}},

		// section 3.5 and the rule that private data is never shared
		"Authorization":                     {header: []string{"Cache-Control: max-age=60"}, first: []string{"Authorization: x"}, asked: true},
		"Authorization and public":          {header: []string{"Cache-Control: max-age=60, public"}, first: []string{"Authorization: x"}},
		"Authorization and s-maxage":        {header: []string{"Cache-Control: s-maxage=60"}, first: []string{"Authorization: x"}},
		"Authorization and must-revalidate": {header: []string{"Cache-Control: max-age=60, must-revalidate"}, first: []string{"Authorization: x"}},
		"Authorization despite MinTTL":      {header: []string{"Cache-Control: max-age=60"}, first: []string{"Authorization: x"}, policy: minTTL(time.Hour), asked: true},
		"Authorization in the key":          {header: []string{"Cache-Control: max-age=60"}, first: []string{"Authorization: x"}, second: []string{"Authorization: x"}, policy: keyed("authorization")},
		"another Authorization in the key":  {header: []string{"Cache-Control: max-age=60"}, first: []string{"Authorization: x"}, second: []string{"Authorization: y"}, policy: keyed("authorization"), asked: true},
		"a cookie that is not in the key":   {header: []string{"Cache-Control: max-age=60"}, first: []string{"Cookie: a=b"}, asked: true},
		"such a cookie and public":          {header: []string{"Cache-Control: max-age=60, public"}, first: []string{"Cookie: a=b"}},
		"a cookie in the key":               {header: []string{"Cache-Control: max-age=60"}, first: []string{"Cookie: a=b"}, second: []string{"Cookie: a=b"}, policy: cookies("a")},
		"a cookie in the key and another":   {header: []string{"Cache-Control: max-age=60"}, first: []string{"Cookie: a=b; c=d"}, second: []string{"Cookie: a=b"}, policy: cookies("a"), asked: true},

		// section 5.2.1: clients cannot have the origin asked
		"no-cache of the client":    {header: []string{"Cache-Control: max-age=60"}, second: []string{"Cache-Control: no-cache"}},
		"max-age=0 of the client":   {header: []string{"Cache-Control: max-age=60"}, second: []string{"Cache-Control: max-age=0"}, after: time.Second},
		"min-fresh of the client":   {header: []string{"Cache-Control: max-age=60"}, second: []string{"Cache-Control: min-fresh=100"}},
		"Pragma of the client":      {header: []string{"Cache-Control: max-age=60"}, second: []string{"Pragma: no-cache"}},
		"max-stale of the client":   {header: []string{"Cache-Control: max-age=60"}, second: []string{"Cache-Control: max-stale=10"}, after: 69 * time.Second},
		"max-stale, staler":         {header: []string{"Cache-Control: max-age=60"}, second: []string{"Cache-Control: max-stale=10"}, after: 71 * time.Second, asked: true},
		"max-stale without a value": {header: []string{"Cache-Control: max-age=60"}, second: []string{"Cache-Control: max-stale"}, after: time.Hour},
		"max-stale and must-revalidate": {
			header: []string{"Cache-Control: max-age=60, must-revalidate"}, second: []string{"Cache-Control: max-stale"}, after: time.Hour, asked: true,
		},
		"max-stale and s-maxage": {header: []string{"Cache-Control: s-maxage=60"}, second: []string{"Cache-Control: max-stale"}, after: time.Hour, asked: true},

		// RFC 9213
		"CDN-Cache-Control beats s-maxage":          {header: []string{"Cache-Control: s-maxage=1", "CDN-Cache-Control: max-age=60"}, after: 59 * time.Second},
		"CDN-Cache-Control beats no-store":          {header: []string{"Cache-Control: no-store", "CDN-Cache-Control: max-age=60"}, after: 59 * time.Second},
		"CDN-Cache-Control: no-store":               {header: []string{"Cache-Control: max-age=60", "CDN-Cache-Control: no-store"}, asked: true},
		"CDN-Cache-Control takes Expires away":      {header: []string{"Expires: " + future, "CDN-Cache-Control: must-revalidate"}, after: time.Hour},
		"CDN-Cache-Control that cannot be parsed":   {header: []string{"Cache-Control: max-age=60", "CDN-Cache-Control: max-age=1 2"}, after: 59 * time.Second},
		"CDN-Cache-Control that is empty":           {header: []string{"Cache-Control: max-age=60", "CDN-Cache-Control: "}, after: 59 * time.Second},
		"CDN-Cache-Control, of two the last":        {header: []string{"CDN-Cache-Control: max-age=1, max-age=60"}, after: 59 * time.Second},
		"CDN-Cache-Control with a string":           {header: []string{`CDN-Cache-Control: max-age="60"`}, asked: true},
		"CDN-Cache-Control with parameters":         {header: []string{"CDN-Cache-Control: max-age=60;x=1"}, after: 59 * time.Second},
		"CDN-Cache-Control: private of a list":      {header: []string{"CDN-Cache-Control: max-age=60, private=(a b)"}, asked: true},
		"CDN-Cache-Control in capitals is no field": {header: []string{"Cache-Control: max-age=60", "CDN-Cache-Control: MAX-AGE=1"}, after: 59 * time.Second},

		// section 3 and 4.2.2: status codes
		"203": {status: 203}, "204": {status: 204}, "300": {status: 300}, "301": {status: 301}, "308": {status: 308},
		"302 with nothing said":    {status: 302, asked: true},
		"302 with max-age":         {status: 302, header: []string{"Cache-Control: max-age=60"}},
		"307 with max-age":         {status: 307, header: []string{"Cache-Control: max-age=60"}},
		"302 with public":          {status: 302, header: []string{"Cache-Control: public"}},
		"201 with nothing said":    {status: 201, asked: true},
		"206 that nobody wanted":   {status: 206, header: []string{"Cache-Control: max-age=60", "Content-Range: bytes 0-0/1"}, asked: true},
		"401 with max-age":         {status: 401, header: []string{"Cache-Control: max-age=60"}, asked: true},
		"429 with max-age":         {status: 429, header: []string{"Cache-Control: max-age=60"}, asked: true},
		"404 without a TTL":        {status: 404, asked: true},
		"404 with a TTL":           {status: 404, errors: 10 * time.Second, after: 9 * time.Second},
		"404 after it":             {status: 404, errors: 10 * time.Second, after: 10 * time.Second, asked: true},
		"404 with max-age over it": {status: 404, header: []string{"Cache-Control: max-age=60"}, errors: 10 * time.Second, after: 59 * time.Second},
		"404 with max-age below":   {status: 404, header: []string{"Cache-Control: max-age=1"}, errors: 10 * time.Second, after: 9 * time.Second},
		"404 with no-store":        {status: 404, header: []string{"Cache-Control: no-store"}, errors: 10 * time.Second, asked: true},
		"404 with a cookie":        {status: 404, header: []string{"Set-Cookie: a=b"}, errors: 10 * time.Second, asked: true},
		"503 with a TTL":           {status: 503, errors: 10 * time.Second, after: 9 * time.Second},
		"403 without max-age":      {status: 403, asked: true},
		"403 with max-age":         {status: 403, header: []string{"Cache-Control: max-age=60"}, after: 59 * time.Second},
		"599 with max-age":         {status: 599, header: []string{"Cache-Control: max-age=60"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				status := c.status
				if status == 0 {
					status = 200
				}
				g := newRig(t, answer(status, c.header...))
				if c.policy != nil {
					c.policy(&g.policy)
				}
				if c.errors > 0 {
					g.errors = func(int) (time.Duration, bool) { return c.errors, true }
				}
				first := g.get("/a", c.first...)
				time.Sleep(c.after)
				second := g.get("/a", c.second...)
				if first.Code != status || second.Code != status {
					t.Fatalf("got %d and %d, want %d", first.Code, second.Code, status)
				}
				if got := g.asked() == 2; got != c.asked {
					t.Errorf("origin asked again: got %v, want %v (%q)", got, c.asked, second.Header()["Cache-Status"])
				}
				if same := first.Body.String() == second.Body.String(); same == c.asked && status != 204 {
					t.Errorf("bodies %q and %q", first.Body, second.Body)
				}
				if !c.asked && second.Header().Get("Set-Cookie") != "" {
					t.Error("a cookie was shared")
				}
			})
		})
	}
}

func keyed(names ...string) func(*cache.Policy) {
	return func(p *cache.Policy) { p.Headers = cache.Selection{Mode: cache.Only, Names: names} }
}

func cookies(names ...string) func(*cache.Policy) {
	return func(p *cache.Policy) { p.Cookies = cache.Selection{Mode: cache.Only, Names: names} }
}
