package spec

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// event reads one item of a function's events: a map of one key, the kind. Kinds
// that need no details, all of them foreign to us, are also a mere word.
func (r *reader) event(fn *Function, n *node) {
	if n.kind == text {
		r.foreign(fn, n.text, n.pos)
		return
	}
	if n.kind != object || len(n.fields) != 1 {
		r.fail(n.pos, `an event is a map with one key, its kind, such as "- httpApi: GET /drops"`)
		return
	}
	f := n.fields[0]
	v := r.vars.resolve(f.value)
	if v.kind == broken {
		return
	}
	e := Event{Pos: f.pos}
	what := "functions." + fn.Key + "." + f.key
	switch f.key {
	case "http":
		e.HTTP = r.http(v, what)
	case "httpApi":
		e.HTTPAPI = r.httpAPI(v, what)
	case "sns":
		e.SNS = r.sns(v, what)
	case "schedule":
		e.Schedule = r.schedule(v, what)
	case "s3":
		e.S3 = r.s3(v, what)
	default:
		r.foreign(fn, f.key, f.pos)
		return
	}
	if e.HTTP != nil || e.HTTPAPI != nil || e.SNS != nil || e.Schedule != nil || e.S3 != nil {
		fn.Events = append(fn.Events, e)
	}
}

func (r *reader) foreign(fn *Function, kind string, pos Pos) {
	r.warn(pos, "events of kind %s are not supported: function %s will not be called by them", kind, fn.Key)
}

var methods = []string{"ANY", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// http reads an event of a REST API.
func (r *reader) http(n *node, what string) *HTTPEvent {
	const unchecked = "requests would reach the function unchecked; check them in the function"
	const unmapped = "requests would not be mapped; use lambda-proxy"
	var method, path, cors *node
	stream := false
	if n.kind == text {
		method, path = route(n)
	} else {
		r.object(n, what, keys{
			"method": func(v *node) { method = v }, "path": func(v *node) { path = v }, "cors": func(v *node) { cors = v },
			"integration": func(v *node) {
				if kind := strings.ToLower(r.str(v, what+".integration")); kind != "lambda-proxy" && kind != "lambda_proxy" && kind != "aws_proxy" && kind != "aws-proxy" {
					r.fail(v.pos, "%s.integration %q is not supported yet: the function would get another event; use lambda-proxy", what, v.text)
				}
			},
			"response": func(v *node) { stream = r.transfer(v, what+".response") },
			"request": func(v *node) { // parameters alone check nothing, with lambda-proxy
				r.object(v, what+".request", keys{"parameters": nil}, effects{
					"schemas": unchecked, "schema": unchecked, "template": unmapped, "passThrough": unmapped, "contentHandling": unmapped, "uri": unmapped,
				})
			},
		}, effects{
			"authorizer": unchecked, "private": unchecked,
			"async": "the caller would wait for the function; remove the key",
		})
	}
	if method == nil || path == nil {
		r.fail(n.pos, `%s wants a method and a path, such as "GET /drops"`, what)
		return nil
	}
	e := &HTTPEvent{Method: r.method(method, what), Path: "/" + strings.Trim(r.str(path, what+".path"), "/"), Stream: stream}
	if cors != nil {
		e.CORS = r.restCORS(cors, what+".cors")
	}
	return e
}

// transfer reads response of an http event. With lambda-proxy its only key is
// transferMode; the Serverless Framework drops the others as we do.
func (r *reader) transfer(n *node, what string) (stream bool) {
	r.object(n, what, keys{"transferMode": func(v *node) {
		switch mode := strings.ToUpper(r.str(v, what+".transferMode")); mode {
		case "STREAM":
			stream = true
		case "", "BUFFERED":
		default:
			r.fail(v.pos, "%s.transferMode must be BUFFERED or STREAM, not %q", what, v.text)
		}
	}}, effects{})
	return stream
}

// httpAPI reads an event of an HTTP API.
func (r *reader) httpAPI(n *node, what string) *HTTPEvent {
	var method, path *node
	if n.kind == text {
		if strings.TrimSpace(n.text) == "*" {
			return &HTTPEvent{Method: "ANY", Path: "$default"}
		}
		method, path = route(n)
	} else {
		r.object(n, what, keys{"method": func(v *node) { method = v }, "path": func(v *node) { path = v }},
			effects{"authorizer": "requests would reach the function unchecked; check them in the function"})
	}
	if method == nil || path == nil {
		r.fail(n.pos, `%s wants a method and a path, such as "GET /drops", or "*"`, what)
		return nil
	}
	e := &HTTPEvent{Method: r.method(method, what), Path: r.str(path, what+".path")}
	switch {
	case e.Path == "*" || e.Path == "$default":
		if e.Method != "ANY" {
			r.fail(path.pos, `%s: the path "*" goes with the method "*" only`, what)
		}
		e.Path = "$default"
	case !strings.HasPrefix(e.Path, "/") && path.kind != broken:
		r.fail(path.pos, "%s: the path must begin with /, not %q", what, e.Path)
	case len(e.Path) > 1:
		e.Path = strings.TrimSuffix(e.Path, "/")
	}
	return e
}

// route splits "GET /path"; both are nil when it is not of that form.
func route(n *node) (method, path *node) {
	words := strings.Fields(n.text)
	if len(words) != 2 {
		return nil, nil
	}
	return plain(words[0], n.pos), plain(words[1], n.pos)
}

func (r *reader) method(n *node, what string) string {
	m := strings.ToUpper(r.str(n, what+".method"))
	if m == "*" {
		return "ANY"
	}
	if m != "" && !slices.Contains(methods, m) {
		r.fail(n.pos, "%s: method %q is none of %s", what, m, strings.Join(methods, ", "))
	}
	return m
}

// corsHeaders are those that the Serverless Framework allows by default.
var corsHeaders = []string{"Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key", "X-Amz-Security-Token", "X-Amz-User-Agent", "X-Amzn-Trace-Id"}

// restCORS reads cors of an http event. Methods that are not given are filled in
// by check, which knows all routes of the path.
func (r *reader) restCORS(n *node, what string) *CORS {
	return r.cors(n, what, func(c *CORS) keys {
		origins := func(v *node) { c.Origins = r.strings(v, what+".origin") }
		return keys{
			"origin": origins, "origins": origins, "cacheControl": nil,
			"headers":          func(v *node) { c.Headers = r.strings(v, what+".headers") },
			"methods":          func(v *node) { c.Methods = r.strings(v, what+".methods") },
			"allowCredentials": func(v *node) { c.AllowCredentials = r.boolean(v, what+".allowCredentials") },
			"maxAge":           func(v *node) { c.MaxAgeSeconds = r.integer(v, what+".maxAge", 0, 86400) },
		}
	})
}

// modernCORS reads provider.httpApi.cors and the cors of a function's URL.
func (r *reader) modernCORS(n *node, what string) *CORS {
	return r.cors(n, what, func(c *CORS) keys {
		return keys{
			"allowedOrigins":         func(v *node) { c.Origins = r.strings(v, what+".allowedOrigins") },
			"allowedHeaders":         func(v *node) { c.Headers = r.strings(v, what+".allowedHeaders") },
			"allowedMethods":         func(v *node) { c.Methods = r.strings(v, what+".allowedMethods") },
			"exposedResponseHeaders": func(v *node) { c.ExposeHeaders = r.strings(v, what+".exposedResponseHeaders") },
			"allowCredentials":       func(v *node) { c.AllowCredentials = r.boolean(v, what+".allowCredentials") },
			"maxAge":                 func(v *node) { c.MaxAgeSeconds = r.integer(v, what+".maxAge", 0, 86400) },
		}
	})
}

func (r *reader) cors(n *node, what string, known func(*CORS) keys) *CORS {
	c := &CORS{}
	if n.kind == boolean {
		if n.text == "false" {
			return nil
		}
	} else {
		r.object(n, what, known(c), effects{})
	}
	if len(c.Origins) == 0 {
		c.Origins = []string{"*"}
	}
	if len(c.Headers) == 0 {
		c.Headers = slices.Clone(corsHeaders)
	}
	for i, m := range c.Methods {
		c.Methods[i] = strings.ToUpper(m)
	}
	return c
}

// isIntrinsic tells {Ref: X} and {Fn::…: …} from other maps.
func isIntrinsic(n *node) bool {
	return n.kind == object && len(n.fields) == 1 && (n.fields[0].key == "Ref" || strings.HasPrefix(n.fields[0].key, "Fn::"))
}

func (r *reader) schedule(n *node, what string) *ScheduleEvent {
	e := &ScheduleEvent{}
	rates := func(v *node) {
		if v.kind != list {
			e.Expressions = append(e.Expressions, Expression{v.pos, r.str(v, what+".rate")})
			return
		}
		r.each(v, what+".rate", func(v *node) {
			e.Expressions = append(e.Expressions, Expression{v.pos, r.str(v, what+".rate")})
		})
	}
	if n.scalar() {
		rates(n)
		return e
	}
	named := n.pos
	const whole = "the function would get the whole event; use input, or pick in the function"
	r.object(n, what, keys{
		"rate":        rates,
		"enabled":     func(v *node) { e.Disabled = !r.boolean(v, what+".enabled") },
		"name":        func(v *node) { e.Name, named = r.str(v, what+".name"), v.pos },
		"description": func(v *node) { e.Description = r.str(v, what+".description") },
		"input":       func(v *node) { e.Input = r.input(v, what+".input") },
		"method": func(v *node) {
			if m := r.str(v, what+".method"); m != "eventBus" {
				r.fail(v.pos, "%s.method %q is not supported yet: the event would differ; use eventBus", what, m)
			}
		},
	}, effects{"inputPath": whole, "inputTransformer": whole, "timezone": "it would run in UTC; write the expression in UTC"})
	if len(e.Expressions) == 0 && n.kind == object && n.get("rate") == nil {
		r.fail(n.pos, "%s.rate is missing, such as rate(10 minutes)", what)
	}
	if e.Name != "" && len(e.Expressions) > 1 {
		r.fail(named, "%s.name goes with a single rate only", what)
	}
	return e
}

// input is JSON, written as a map or, as the framework also takes it, as a string.
func (r *reader) input(n *node, what string) string {
	if n.kind == text {
		if json.Valid([]byte(n.text)) {
			return n.text
		}
		quoted, err := json.Marshal(n.text)
		if err != nil {
			r.fail(n.pos, "%s: %v", what, err)
		}
		return string(quoted)
	}
	data, err := json.Marshal(r.plainValue(n))
	if err != nil {
		r.fail(n.pos, "%s cannot be written as JSON: %v", what, err)
	}
	return string(data)
}

// plainValue turns a node into what encoding/json takes.
func (r *reader) plainValue(n *node) any {
	if n = r.vars.resolve(n); !r.spend(n) {
		return nil
	}
	switch n.kind {
	case text:
		return n.text
	case boolean:
		return n.text == "true"
	case number:
		if json.Valid([]byte(n.text)) {
			return json.RawMessage(n.text)
		}
		return n.text
	case list:
		out := []any{}
		for _, item := range n.items {
			out = append(out, r.plainValue(item))
		}
		return out
	case object:
		out := map[string]any{}
		for _, f := range n.fields {
			out[f.key] = r.plainValue(f.value)
		}
		return out
	}
	return nil
}

var s3Event = regexp.MustCompile(`^s3:[A-Za-z]+:(\*|[A-Za-z]+)$`)

func (r *reader) s3(n *node, what string) *S3Event {
	e := &S3Event{Event: "s3:ObjectCreated:*"}
	pos := n.pos
	if n.scalar() || isIntrinsic(n) {
		e.Bucket = r.value(n, what)
	} else {
		r.object(n, what, keys{
			"bucket": func(v *node) { e.Bucket, pos = r.value(v, what+".bucket"), v.pos },
			"event": func(v *node) {
				if e.Event = r.str(v, what+".event"); !s3Event.MatchString(e.Event) {
					r.fail(v.pos, "%s.event must be such as s3:ObjectCreated:*, not %q", what, e.Event)
				}
			},
			"rules":       func(v *node) { r.each(v, what+".rules", func(v *node) { r.s3Rule(e, v, what+".rules") }) },
			"existing":    func(v *node) { e.Existing = r.boolean(v, what+".existing") },
			"forceDeploy": nil,
		}, effects{})
	}
	if e.Bucket == "" {
		if n.kind != object || n.get("bucket") == nil {
			r.fail(n.pos, "%s wants the name of a bucket", what)
		}
		return nil
	}
	r.useBucket(e.Bucket, pos)
	return e
}

func (r *reader) s3Rule(e *S3Event, n *node, what string) {
	set := func(into *string, key string) func(*node) {
		return func(v *node) {
			if *into != "" {
				r.fail(v.pos, "%s: a second %s; S3 takes one", what, key)
			}
			*into = r.value(v, fmt.Sprint(what, ".", key))
		}
	}
	r.object(n, what, keys{"prefix": set(&e.Prefix, "prefix"), "suffix": set(&e.Suffix, "suffix")}, effects{})
}
