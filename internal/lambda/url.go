package lambda

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
)

// URLInput is what a function's URL is to be; nil is not given.
type URLInput struct {
	FunctionName string
	Qualifier    string  `json:",omitempty"`
	AuthType     *string `json:",omitempty"`
	InvokeMode   *string `json:",omitempty"`
	Cors         *CORS   `json:",omitempty"`
}

// CORS is what browsers of other sites may do.
type CORS struct {
	AllowCredentials bool     `json:",omitempty"`
	AllowHeaders     []string `json:",omitempty"`
	AllowMethods     []string `json:",omitempty"`
	AllowOrigins     []string `json:",omitempty"`
	ExposeHeaders    []string `json:",omitempty"`
	MaxAge           int      `json:",omitempty"`
}

// URLConfig is Lambda's FunctionUrlConfig.
type URLConfig struct {
	FunctionUrl      string
	FunctionArn      string
	AuthType         string
	InvokeMode       string
	Cors             *CORS `json:",omitempty"`
	CreationTime     string
	LastModifiedTime string `json:",omitempty"`
}

// The ways in which a URL answers.
const (
	buffered = "BUFFERED"
	stream   = "RESPONSE_STREAM"
)

// CreateFunctionUrlConfig gives a function, or an alias of it, a URL.
func (l *Functions) CreateFunctionUrlConfig(ctx context.Context, in URLInput) (URLConfig, error) {
	if in.AuthType == nil {
		return URLConfig{}, invalid("AuthType is missing: NONE or AWS_IAM")
	}
	if in.Qualifier == function.Latest || in.Qualifier != "" && strings.Trim(in.Qualifier, "0123456789") == "" {
		return URLConfig{}, invalid("Qualifier %q: a URL is a function's or an alias's, not a version's", in.Qualifier)
	}
	if _, err := l.Invoker.Get(qualified(in.FunctionName, in.Qualifier)); err != nil {
		return URLConfig{}, err
	}
	return l.editURL(ctx, in, func(r *deploy.Revision, f *function.Function, at int, now time.Time) (int, error) {
		if at >= 0 {
			return at, conflict("Function URL config already exists for this Lambda function: %s", f.ARN)
		}
		api := gateway.FunctionURL(r.Stack, f.Name, in.Qualifier)
		api.Created = now
		r.APIs = append(r.APIs, api)
		return len(r.APIs) - 1, nil
	})
}

// UpdateFunctionUrlConfig changes what is given of a URL.
func (l *Functions) UpdateFunctionUrlConfig(ctx context.Context, in URLInput) (URLConfig, error) {
	return l.editURL(ctx, in, func(_ *deploy.Revision, f *function.Function, at int, _ time.Time) (int, error) {
		if at < 0 {
			return at, noURL(f.ARN)
		}
		return at, nil
	})
}

func noURL(arn string) error {
	return notFound("The resource you requested does not exist: %s has no URL", arn)
}

// editURL changes the URL that place finds.
func (l *Functions) editURL(ctx context.Context, in URLInput, place func(r *deploy.Revision, f *function.Function, at int, now time.Time) (int, error)) (out URLConfig, err error) {
	_, err = l.edit(ctx, in.FunctionName, "", func(r *deploy.Revision, f *function.Function) error {
		now := time.Now().UTC()
		at, err := place(r, f, slices.IndexFunc(r.APIs, urlExactly(f.Name, in.Qualifier)), now)
		if err != nil {
			return err
		}
		api := &r.APIs[at]
		api.Modified = now
		if err := in.apply(api); err != nil {
			return err
		}
		out = l.describeURL(*api, *f, r.Created)
		return nil
	})
	return out, err
}

func (in *URLInput) apply(api *gateway.API) error {
	give(in.AuthType, &api.Auth)
	if in.InvokeMode != nil {
		if *in.InvokeMode != buffered && *in.InvokeMode != stream {
			return invalid("InvokeMode %q is neither %s nor %s", *in.InvokeMode, buffered, stream)
		}
		api.Routes[0].Stream = *in.InvokeMode == stream
	}
	if c := in.Cors; c != nil {
		api.CORS = &gateway.CORS{
			Origins: c.AllowOrigins, Headers: c.AllowHeaders, Methods: c.AllowMethods, ExposeHeaders: c.ExposeHeaders,
			AllowCredentials: c.AllowCredentials, MaxAgeSeconds: c.MaxAge,
		}
	}
	if err := gateway.Check([]gateway.API{*api}); err != nil {
		return invalid("%w", err)
	}
	return nil
}

func (l *Functions) describeURL(api gateway.API, f function.Function, otherwise time.Time) URLConfig {
	out := URLConfig{
		FunctionUrl: l.URL(gateway.URLHost(api.ID, l.Region)) + "/", FunctionArn: qualified(f.ARN, qualifierOf(api)),
		AuthType: api.Auth, InvokeMode: buffered,
	}
	if out.AuthType == "" {
		out.AuthType = gateway.AuthNone
	}
	if api.Routes[0].Stream {
		out.InvokeMode = stream
	}
	if c := api.CORS; c != nil {
		out.Cors = &CORS{c.AllowCredentials, c.Headers, c.Methods, c.Origins, c.ExposeHeaders, c.MaxAgeSeconds}
	}
	if api.Created.IsZero() { // a serverless.yml has it
		api.Created, api.Modified = otherwise, otherwise
	}
	out.CreationTime, out.LastModifiedTime = api.Created.UTC().Format(time.RFC3339), api.Modified.UTC().Format(time.RFC3339)
	return out
}

// urlOf finds the URLs of a function and its aliases, urlExactly one of them.
func urlOf(name string) func(gateway.API) bool {
	return func(api gateway.API) bool {
		fn, _, _ := strings.Cut(api.Name, ":")
		return api.Kind == gateway.URL && fn == name
	}
}

func urlExactly(name, qualifier string) func(gateway.API) bool {
	return func(api gateway.API) bool { return api.Kind == gateway.URL && api.Name == qualified(name, qualifier) }
}

func qualifierOf(api gateway.API) string {
	_, qualifier, _ := strings.Cut(api.Name, ":")
	return qualifier
}

// urls are the URLs of a function with the time that one without its own has.
func (l *Functions) urls(name string, which func(string) func(gateway.API) bool) ([]URLConfig, function.Function, error) {
	fn, err := l.Invoker.Get(name)
	if err != nil {
		return nil, fn, err
	}
	list := []URLConfig{}
	if r := l.Deployer.List()[fn.Stack]; r != nil {
		is := which(fn.Name)
		for _, api := range r.APIs {
			if is(api) {
				list = append(list, l.describeURL(api, fn, r.Created))
			}
		}
	}
	return list, fn, nil
}

// GetFunctionUrlConfig describes the URL of a function or an alias.
func (l *Functions) GetFunctionUrlConfig(_ context.Context, in FunctionInput) (URLConfig, error) {
	list, fn, err := l.urls(in.FunctionName, func(name string) func(gateway.API) bool { return urlExactly(name, in.Qualifier) })
	if err != nil {
		return URLConfig{}, err
	}
	if len(list) == 0 {
		return URLConfig{}, noURL(fn.ARN)
	}
	return list[0], nil
}

// URLList is the URLs of a function and its aliases.
type URLList struct{ FunctionUrlConfigs []URLConfig }

// ListFunctionUrlConfigs lists the URLs of a function and its aliases.
func (l *Functions) ListFunctionUrlConfigs(_ context.Context, in FunctionInput) (URLList, error) {
	list, _, err := l.urls(in.FunctionName, urlOf)
	return URLList{list}, err
}

// DeleteFunctionUrlConfig takes the URL away.
func (l *Functions) DeleteFunctionUrlConfig(ctx context.Context, in FunctionInput) (struct{}, error) {
	_, err := l.edit(ctx, in.FunctionName, "", func(r *deploy.Revision, f *function.Function) error {
		before := len(r.APIs)
		if r.APIs = slices.DeleteFunc(r.APIs, urlExactly(f.Name, in.Qualifier)); len(r.APIs) == before {
			return noURL(f.ARN)
		}
		return nil
	})
	return struct{}{}, err
}
