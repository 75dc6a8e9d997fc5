package spec

import (
	"slices"
	"strings"
)

// How a function URL finds out who asks, and how it answers.
const (
	AuthNone, AuthIAM = "NONE", "AWS_IAM"
	Buffered, Stream  = "BUFFERED", "RESPONSE_STREAM"
)

// urlHeaders are those that the Serverless Framework allows by default for URLs.
var urlHeaders = []string{"Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key", "X-Amz-Security-Token", "X-Amzn-Trace-Id"}

// URLAddress is how Lambda writes the address of a function's URL.
func URLAddress(region, id string) string {
	return "https://" + id + ".lambda-url." + region + ".on.aws/"
}

// url reads url: true, or a map.
func (r *reader) url(n *node, what string) *URL {
	u := &URL{Pos: n.pos, Authorizer: AuthNone, InvokeMode: Buffered}
	if n.kind == boolean {
		if n.text == "false" {
			return nil
		}
		return u
	}
	r.object(n, what, keys{
		"authorizer": func(v *node) {
			switch got := r.str(v, what+".authorizer"); strings.ToLower(got) {
			case "", "none":
			case "aws_iam":
				u.Authorizer = AuthIAM
			default:
				r.fail(v.pos, "%s.authorizer must be aws_iam or none, not %q", what, got)
			}
		},
		"cors": func(v *node) { u.CORS = r.urlCORS(v, what+".cors") },
		"invokeMode": func(v *node) {
			if u.InvokeMode = strings.ToUpper(r.str(v, what+".invokeMode")); u.InvokeMode != Buffered && u.InvokeMode != Stream && v.kind != broken {
				r.fail(v.pos, "%s.invokeMode must be %s or %s, not %q", what, Buffered, Stream, v.text)
			}
		},
	}, effects{})
	return u
}

// urlCORS reads the cors of a URL, whose keys are those of provider.httpApi.cors.
func (r *reader) urlCORS(n *node, what string) *CORS {
	c := r.modernCORS(n, what)
	if c == nil {
		return nil
	}
	if n.kind != object || n.get("allowedHeaders") == nil {
		c.Headers = slices.Clone(urlHeaders)
	}
	if len(c.Methods) == 0 {
		c.Methods = []string{"*"}
	}
	return c
}
