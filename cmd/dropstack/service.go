package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/node"
	"github.com/dropstack/dropstack/internal/secret"
	"github.com/dropstack/dropstack/internal/spec"
)

// specOptions are the command line's part of reading a service. The platform is
// asked for parameters, objects and outputs if the service names some, and Node.js
// is looked for if it names a program.
func (c *cli) specOptions(cmd *cobra.Command) spec.Options {
	asks := platform{ctx: cmd.Context(), connect: func() (*api.Client, error) { return c.client(cmd) }}
	o := spec.Options{Stage: c.stage, Opts: c.options(), Env: os.LookupEnv}
	return c.equip(o, asks)
}

// options are the flags as ${opt:} and ${param:} know them.
func (c *cli) options() map[string]string {
	opts := map[string]string{}
	for name, value := range map[string]string{"stage": c.stage, "region": c.region, "aws-profile": c.profile} {
		if value != "" {
			opts[name] = value
		}
	}
	for _, param := range c.params {
		if name, value, ok := strings.Cut(param, "="); ok {
			opts["param:"+name] = value
		}
	}
	return opts
}

// checkParams refuses a --param that is not NAME=VALUE.
func (c *cli) checkParams() error {
	for _, param := range c.params {
		if name, value, ok := strings.Cut(param, "="); !ok || name == "" || value == "" {
			return fmt.Errorf("%w: --param %q: want NAME=VALUE", errUsage, param)
		}
	}
	return nil
}

// equip gives o what the platform and this machine know.
func (c *cli) equip(o spec.Options, p platform) spec.Options {
	o.Parameter, o.Object, o.StackOutput, o.Import = p.parameter, p.object, p.output, p.export
	o.Node, o.Stderr = findNode, c.stderr
	return o
}

// findNode is the newest Node.js that is installed, "" without any.
func findNode(ctx context.Context) (string, error) {
	installs, err := (&node.Search{Getenv: os.Getenv}).Find(ctx)
	if err != nil || len(installs) == 0 {
		return "", err
	}
	return installs[0].Path, nil
}

// platform answers the variables of a service; connect is called when there is one
// to answer.
type platform struct {
	ctx     context.Context
	connect func() (*api.Client, error)
}

func (p platform) parameter(name string, clear bool) (spec.Parameter, bool, error) {
	client, err := p.connect()
	if err != nil {
		return spec.Parameter{}, false, err
	}
	var out secret.GetParameterOutput
	err = parameters{client}.call(p.ctx, "GetParameter", secret.GetParameterInput{Name: name, WithDecryption: clear}, &out)
	if fault.CodeOf(err) == "ParameterNotFound" {
		return spec.Parameter{}, false, nil
	}
	return spec.Parameter{Type: out.Parameter.Type, Value: out.Parameter.Value}, err == nil, err
}

// maxObject bounds an object that a variable names.
const maxObject = 4 << 20

func (p platform) object(bucket, key string) (string, bool, error) {
	client, err := p.connect()
	if err != nil {
		return "", false, err
	}
	out, err := client.S3().GetObject(p.ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if _, missing := errors.AsType[*types.NoSuchKey](err); missing {
		return "", false, nil
	}
	if refused, ok := errors.AsType[smithy.APIError](err); ok {
		return "", false, fmt.Errorf("%s: %s", refused.ErrorCode(), refused.ErrorMessage())
	}
	if err != nil {
		return "", false, err
	}
	defer out.Body.Close()
	doc, err := io.ReadAll(io.LimitReader(out.Body, maxObject+1))
	if err == nil && len(doc) > maxObject {
		err = fmt.Errorf("the object is larger than %d bytes", maxObject)
	}
	return string(doc), err == nil, err
}

func (p platform) output(stack, key string) (string, bool, error) {
	client, err := p.connect()
	if err != nil {
		return "", false, err
	}
	var info api.Info
	err = client.Call(p.ctx, "Info", api.StackInput{Stack: stack}, &info)
	if fault.KindOf(err) == fault.NotFound {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	for _, output := range info.Revision.Outputs {
		if output.Key == key {
			return output.Value, true, nil
		}
	}
	return "", false, nil
}

func (p platform) export(name string) (string, bool, error) {
	client, err := p.connect()
	if err != nil {
		return "", false, err
	}
	var out api.Export
	err = client.Call(p.ctx, "Export", api.ExportInput{Name: name}, &out)
	if fault.KindOf(err) == fault.NotFound {
		return "", false, nil
	}
	return out.Value, err == nil, err
}
