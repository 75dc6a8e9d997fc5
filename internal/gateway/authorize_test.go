package gateway_test

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam"
)

// TestSignedRoutes has the official signer ask, through the API's own host name.
func TestSignedRoutes(t *testing.T) {
	keys, err := iam.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := guardedRoute("POST", "/a/{id}", gateway.AuthorizerIAM)
	dev, web := rest(r), httpAPI(r)
	web.Stage = "prod"
	caller := "arn:aws:lambda:us-east-1:" + arn.Account + ":function:caller"
	role := iam.DeclaredRole{Name: "caller", Inline: map[string]string{
		"call": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":[
			"arn:aws:execute-api:us-east-1:000000000000:` + dev.ID + `/dev/POST/a/*","arn:aws:execute-api:us-east-1:000000000000:` + web.ID + `/prod/POST/a/*"]}]}`,
	}}
	other := "arn:aws:lambda:us-east-1:" + arn.Account + ":function:other"
	if err := keys.Replace("drops-dev", iam.Declaration{Roles: []iam.DeclaredRole{role}, Functions: map[string]string{caller: arn.Role("/", "caller"), other: ""}}); err != nil {
		t.Fatal(err)
	}
	may, err := keys.Instance(caller, "", "i-1")
	if err != nil {
		t.Fatal(err)
	}
	mayNot, err := keys.Instance(other, "", "i-2")
	if err != nil {
		t.Fatal(err)
	}
	wrong := may
	wrong.SecretAccessKey += "x"
	for name, c := range map[string]struct {
		keys    iam.Credentials
		service string
		want    int
		rest    string // part of what a REST API says
	}{
		"permitted":       {may, "execute-api", 200, ""},
		"not permitted":   {mayNot, "execute-api", 403, "is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:000000000000:" + dev.ID + "/dev/POST/a/b c"},
		"not signed":      {iam.Credentials{}, "execute-api", 403, `{"message":"Missing Authentication Token"}`},
		"another service": {may, "lambda", 403, "correct service"},
		"a wrong secret":  {wrong, "execute-api", 403, "does not match"},
	} {
		for _, api := range []gateway.API{dev, web} {
			fn := &lambdas{}
			g := &gateway.Gateway{Invoker: fn, Log: slog.New(slog.DiscardHandler)}
			if err := g.Replace(api.Stack, []gateway.API{api}, nil, nil); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "AWS_IAM") {
				t.Errorf("without a verifier: got %v", err)
			}
			g.Verify, g.Authorize = keys, keys.Authorize
			open(t, g, api, nil, nil)
			res := do(g.API(api.ID), signedRequest(t, c.keys, c.service, "http://"+api.ID+".execute-api.us-east-1.localhost/"+api.Stage+"/a/b%20c?d=e"))
			want := c.rest
			if api.Kind == gateway.HTTP {
				want = `{"message":"Forbidden"}`
			}
			if res.Code != c.want || c.want != 200 && !strings.Contains(res.Body.String(), want) {
				t.Errorf("%s, %s: got %d %s, want %d %s", name, api.Kind, res.Code, res.Body, c.want, want)
			}
			if c.want != 200 {
				continue
			}
			arnOf := "arn:aws:sts::" + arn.Account + ":assumed-role/caller/i-1"
			if api.Kind == gateway.REST {
				var e events.APIGatewayProxyRequest
				fn.last(t, "backend", &e)
				if id := e.RequestContext.Identity; id.AccessKey != c.keys.AccessKeyID || id.AccountID != arn.Account || !strings.HasPrefix(id.UserArn, arnOf[:40]) || id.Caller == "" || id.User != id.Caller {
					t.Errorf("identity: got %+v", id)
				}
				continue
			}
			var e events.APIGatewayV2HTTPRequest
			fn.last(t, "backend", &e)
			if id := e.RequestContext.Authorizer.IAM; id.AccessKey != c.keys.AccessKeyID || id.AccountID != arn.Account || id.UserID == "" || !strings.HasPrefix(id.UserARN, arnOf[:40]) {
				t.Errorf("authorizer.iam: got %+v", id)
			}
		}
	}
}

func signedRequest(t testing.TB, c iam.Credentials, service, url string) *http.Request {
	t.Helper()
	r := httptest.NewRequest("POST", url, strings.NewReader("signed"))
	if c.AccessKeyID != "" {
		sum := sha256.Sum256([]byte("signed"))
		own := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
		if err := v4.NewSigner().SignHTTP(t.Context(), own, r, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	return r
}
