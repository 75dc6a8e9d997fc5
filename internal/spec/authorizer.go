package spec

import (
	"reflect"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// Authorizer decides who may call a route. Its fields are those of package
// gateway's.
type Authorizer struct {
	Pos      Pos
	Name     string
	Kind     string // AuthToken, AuthRequest or AuthJWT
	Function string // name or name:qualifier
	Identity []string
	Pattern  string
	TTL      int    `json:",omitzero"` // seconds for which a decision is kept
	Payload  string // HTTP: "1.0" or "2.0"
	Simple   bool   // HTTP: {isAuthorized, context} instead of a policy
	Issuer   string // JWT
	Audience []string
}

// Kinds of authorizer, besides AuthIAM, which is none of the API's.
const (
	AuthToken   = "TOKEN"
	AuthRequest = "REQUEST"
	AuthJWT     = "JWT"
)

const (
	authorizerTTL    = 300 // seconds that the Serverless Framework and API Gateway have by default
	maxAuthorizerTTL = 3600
	restIdentity     = "method.request.header.Authorization"
)

// same tells whether two authorizers differ in nothing but their place.
func (a Authorizer) same(b Authorizer) bool {
	b.Pos = a.Pos
	return reflect.DeepEqual(a, b)
}

// userPool is what is said of Cognito's authorizers.
const userPool = "%s: user pools are not offered here; check the token in a function (type: request), or serve the route with httpApi and an authorizer of type jwt"

// restAuthorizer reads authorizer of an http event: aws_iam, the key of a function,
// an ARN, or a map. It returns the name that routes have it by.
func (r *reader) restAuthorizer(n *node, what string) string {
	a := Authorizer{Pos: n.pos, Kind: AuthToken, TTL: authorizerTTL}
	var typ, name, target, external string
	var identity *node
	if n.kind != object || isIntrinsic(n) {
		if target = r.value(n, what); strings.EqualFold(target, AuthIAM) {
			return AuthIAM
		} else if !strings.Contains(target, ":") {
			name, target = target, ""
		}
	} else {
		r.object(n, what, keys{
			"type":         func(v *node) { typ = strings.ToUpper(r.str(v, what+".type")) },
			"name":         func(v *node) { name = r.value(v, what+".name") },
			"arn":          func(v *node) { target = r.value(v, what+".arn") },
			"authorizerId": func(v *node) { external = r.value(v, what+".authorizerId") },
			"resultTtlInSeconds": func(v *node) {
				a.TTL = r.integer(v, what+".resultTtlInSeconds", 0, maxAuthorizerTTL)
			},
			"identitySource": set(&identity),
			"identityValidationExpression": func(v *node) {
				a.Pattern = r.str(v, what+".identityValidationExpression")
			},
			"managedExternally": nil,                // API Gateway needs no permission here
			"claims":            nil, "scopes": nil, // of user pools
		}, effects{})
	}
	switch typ {
	case "", AuthToken, "CUSTOM":
	case AuthRequest:
		a.Kind = AuthRequest
	case AuthIAM:
		return AuthIAM
	case "COGNITO_USER_POOLS":
		r.fail(n.pos, userPool, what)
		return ""
	default:
		r.fail(n.pos, "%s.type must be token, request or aws_iam, not %q", what, strings.ToLower(typ))
		return ""
	}
	if external != "" {
		return r.externalAuthorizer(n, external, what)
	}
	a.Identity = r.identity(&a, identity, what)
	return r.useAuthorizer(a, n, name, target, what)
}

// identity reads where that which decides comes from: names, parted by commas.
func (r *reader) identity(a *Authorizer, n *node, what string) (out []string) {
	if n == nil {
		if a.Kind == AuthRequest && a.TTL == 0 {
			return nil
		}
		return []string{restIdentity}
	}
	for _, s := range r.strings(n, what+".identitySource") {
		for part := range strings.SplitSeq(s, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// useAuthorizer finds the function of an authorizer and adds it to the REST API.
func (r *reader) useAuthorizer(a Authorizer, n *node, name, target, what string) string {
	if n.kind == broken || name == "" && target == "" {
		if n.kind == object && !isIntrinsic(n) && n.get("name") == nil && n.get("arn") == nil {
			r.fail(n.pos, "%s wants the name of a function, or an arn", what)
		}
		return ""
	}
	if target == "" {
		own, ok := r.targets[name]
		if !ok {
			r.fail(n.pos, "%s: %q is no function of this service; name one by its key, or another service's by its ARN", what, name)
			return ""
		}
		target = own
	}
	fn, ok := functionOf(target)
	if !ok {
		if strings.Contains(target, ":cognito-idp:") {
			r.fail(n.pos, userPool, what)
		} else {
			r.fail(n.pos, "%s: %q is not the ARN of a function of this account, %s", what, target, arn.Account)
		}
		return ""
	}
	if a.Name, a.Function = name, fn; name == "" {
		a.Name = fn[strings.LastIndexAny(fn, "-:")+1:] // as the Serverless Framework names it
	}
	r.authorizer(&r.svc.REST, a)
	return a.Name
}

// functionOf is name or name:qualifier of a function of this account.
func functionOf(target string) (string, bool) {
	a, err := arn.Parse(target)
	if err != nil || a.Service != "lambda" || a.Account != arn.Account {
		return "", false
	}
	return strings.CutPrefix(a.Resource, "function:")
}

// externalAuthorizer finds an authorizer that is a resource of the service.
func (r *reader) externalAuthorizer(n *node, id, what string) string {
	if i := slices.IndexFunc(r.svc.REST.Authorizers, func(a Authorizer) bool { return r.gates.external[a.Name] == id }); i >= 0 {
		return r.svc.REST.Authorizers[i].Name
	}
	r.fail(n.pos, "%s.authorizerId: %q is no AWS::ApiGateway::Authorizer of this service; name the function in its place", what, id)
	return ""
}

// httpAuthorizers reads provider.httpApi.authorizers, when functions have names.
func (r *reader) httpAuthorizers() {
	n, what := r.gates.authorizers, "provider.httpApi.authorizers"
	if n == nil || !r.is(n, object, what) {
		return
	}
	for _, f := range n.fields {
		if v := r.vars.resolve(f.value); r.is(v, object, what+"."+f.key) {
			r.httpAuthorizerOf(f, v, what+"."+f.key)
		}
	}
}

func (r *reader) httpAuthorizerOf(f field, n *node, what string) {
	a := Authorizer{Pos: f.pos, Name: f.key, Kind: AuthJWT}
	var target string
	at := n.pos
	if t := r.vars.resolve(n.get("type")); t != nil && t.kind != null {
		a.Kind = strings.ToUpper(r.choice(t, what+".type", "jwt", "request"))
	}
	known := keys{
		"type": nil, "managedExternally": nil,
		"name":           func(v *node) { a.Name = r.str(v, what+".name") },
		"identitySource": func(v *node) { a.Identity = r.values(v, what+".identitySource") },
	}
	if a.Kind == AuthJWT {
		known["issuerUrl"] = func(v *node) { a.Issuer = r.value(v, what+".issuerUrl") }
		known["audience"] = func(v *node) { a.Audience = r.values(v, what+".audience") }
	} else {
		a.Payload = "2.0"
		known["functionName"] = func(v *node) {
			name := r.str(v, what+".functionName")
			if target, at = r.targets[name], v.pos; target == "" && v.kind != broken {
				r.fail(v.pos, "%s.functionName: %q is no function of this service; name another service's with functionArn", what, name)
			}
		}
		known["functionArn"] = func(v *node) { target, at = r.value(v, what+".functionArn"), v.pos }
		known["resultTtlInSeconds"] = func(v *node) {
			a.TTL = r.integer(v, what+".resultTtlInSeconds", 0, maxAuthorizerTTL)
		}
		known["enableSimpleResponses"] = func(v *node) { a.Simple = r.boolean(v, what+".enableSimpleResponses") }
		known["payloadVersion"] = func(v *node) { a.Payload = r.payload(v, what+".payloadVersion") }
	}
	r.object(n, what, known, effects{})
	missing := func(keys ...string) bool {
		return !slices.ContainsFunc(keys, func(key string) bool { return n.get(key) != nil })
	}
	switch {
	case a.Kind == AuthJWT && (missing("issuerUrl") || missing("audience") || missing("identitySource")):
		r.fail(f.pos, "%s wants identitySource, issuerUrl and audience", what)
	case a.Kind == AuthJWT:
	case missing("functionName", "functionArn") || !missing("functionName") && !missing("functionArn"):
		r.fail(f.pos, "%s wants either functionName or functionArn", what)
	case a.TTL > 0 && len(a.Identity) == 0:
		r.fail(f.pos, "%s.identitySource is missing: what are decisions kept by for resultTtlInSeconds?", what)
	case target != "":
		var ok bool
		if a.Function, ok = functionOf(target); !ok {
			r.fail(at, "%s: %q is not the ARN of a function of this account, %s", what, target, arn.Account)
		}
	}
	if a.Simple && a.Payload == "1.0" {
		r.fail(f.pos, "%s.enableSimpleResponses goes with payloadVersion 2.0", what)
	}
	r.gates.named[f.key] = a.Name
	r.svc.HTTP.Authorizers = append(r.svc.HTTP.Authorizers, a)
}

// httpAuthorizer reads authorizer of an httpApi event: its name, or {name, scopes},
// or {type: aws_iam}.
func (r *reader) httpAuthorizer(e *HTTPEvent, n *node, what string) {
	name, typ := "", ""
	if n.kind != object {
		name = r.str(n, what)
	} else {
		r.object(n, what, keys{
			"name":   func(v *node) { name = r.str(v, what+".name") },
			"type":   func(v *node) { typ = r.choice(v, what+".type", "jwt", "request", "aws_iam") },
			"scopes": func(v *node) { e.Scopes = r.values(v, what+".scopes") },
		}, effects{"id": elsewhereAPI})
	}
	if typ == "aws_iam" {
		if e.Authorizer = AuthIAM; name != "" || len(e.Scopes) > 0 {
			r.fail(n.pos, "%s: name and scopes do not go with type aws_iam", what)
		}
		return
	}
	i := slices.IndexFunc(r.svc.HTTP.Authorizers, func(a Authorizer) bool { return a.Name == r.gates.named[name] })
	switch {
	case n.kind == broken || n.get("id") != nil:
	case name == "":
		r.fail(n.pos, "%s wants the name of one of provider.httpApi.authorizers, or type: aws_iam", what)
	case i < 0 || r.gates.named[name] == "":
		r.fail(n.pos, "%s: %q is none of provider.httpApi.authorizers", what, name)
	case len(e.Scopes) > 0 && r.svc.HTTP.Authorizers[i].Kind != AuthJWT:
		r.fail(n.pos, "%s.scopes goes with an authorizer of type jwt", what)
	default:
		e.Authorizer = r.svc.HTTP.Authorizers[i].Name
	}
}

// values reads a list of strings that may be made of CloudFormation's functions, or
// one as a list of it.
func (r *reader) values(n *node, what string) (out []string) {
	if n = r.vars.resolve(n); n != nil && (n.scalar() || isIntrinsic(n)) {
		return []string{r.value(n, what)}
	}
	r.each(n, what, func(item *node) { out = append(out, r.value(item, what)) })
	return out
}
