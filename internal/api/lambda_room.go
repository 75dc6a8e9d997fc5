package api

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/lambda"
)

// roomCall is an operation of REST that a method of the room answers.
type roomCall struct {
	new    func() any // an empty input
	do     func(ctx context.Context, l *lambda.Functions, in any) (any, error)
	need   func(l *Lambda, in any) []Need // nil: the operation, on what the path names
	status int
	// name and sub are the members that stand in the path, in place of its first
	// and its second *.
	name, sub string
}

// of is the route of an operation that a room's method answers with a status.
// Members that stand in the path or in the query go into the input's fields of the
// same name.
func of[In, Out any](operation string, status int, method func(*lambda.Functions, context.Context, In) (Out, error)) lambdaRoute {
	return lambdaRoute{operation: operation, room: &roomCall{
		new:    func() any { return new(In) },
		do:     func(ctx context.Context, l *lambda.Functions, in any) (any, error) { return method(l, ctx, *in.(*In)) },
		status: status, name: "FunctionName",
	}}
}

// at names the members in the path.
func (r lambdaRoute) at(name, sub string) lambdaRoute {
	r.room.name, r.room.sub = name, sub
	return r
}

// needs says what the caller must be allowed.
func needs[In any](r lambdaRoute, need func(*Lambda, In) []Need) lambdaRoute {
	r.room.need = func(l *Lambda, in any) []Need { return need(l, *in.(*In)) }
	return r
}

// input decodes a call.
func (r *roomCall) input(c *lambdaCall) (any, error) {
	in := r.new()
	if err := decodeJSON(c.body, in); err != nil {
		return nil, err
	}
	members, query := url.Values{}, c.r.URL.Query()
	for name, value := range map[string]string{r.name: c.name, r.sub: c.sub} {
		if name != "" && value != "" {
			members.Set(name, value)
		}
	}
	maps.DeleteFunc(query, func(name string, _ []string) bool { // by the one that is written so the caller was permitted
		return name != "Qualifier" && strings.EqualFold(name, "Qualifier")
	})
	withQuery(members, query)
	return in, bind(reflect.ValueOf(in).Elem(), members)
}

// answerRoom calls the room for a route.
func (l *Lambda) answerRoom(c *lambdaCall, r *roomCall, in any) error {
	out, err := r.do(c.at, l.Functions, in)
	if err != nil {
		return err
	}
	if r.status == http.StatusNoContent {
		out = nil
	}
	return c.answer(r.status, out)
}

// limitOf is how large a request's body may be: code comes in some.
func limitOf(r *http.Request, scope string) int64 {
	const code = 70_167_211 // a zip of 50 MB in base64, as Lambda has it
	path := strings.TrimSuffix(r.URL.Path, "/")
	if scope == "lambda" && (strings.HasSuffix(path, "/functions") || strings.HasSuffix(path, "/code") || strings.Contains(path, "/layers/")) {
		return code
	}
	return maxBody
}

// passes is what somebody needs to have Lambda run a function as a role.
func passes(role string) []Need {
	if role == "" {
		return nil
	}
	return []Need{{Action: "iam:PassRole", Resource: role, Conditions: map[string][]string{"iam:PassedToService": {"lambda.amazonaws.com"}}}}
}

// reads is what somebody needs to have code fetched from a bucket, and layers used.
func reads(c lambda.Code, layers *[]string) (list []Need) {
	if c.S3Bucket != "" {
		list = append(list, Need{Action: "s3:GetObject", Resource: arn.Bucket(c.S3Bucket + "/" + c.S3Key)})
	}
	if layers != nil {
		for _, name := range *layers {
			list = append(list, Need{Action: "lambda:GetLayerVersion", Resource: name})
		}
	}
	return list
}

func createNeeds(l *Lambda, in lambda.CreateFunctionInput) []Need {
	list := on(functionARN(l.Region, in.FunctionName))
	return append(append(list, passes(in.Role)...), reads(in.Code, in.Layers)...)
}

func codeNeeds(l *Lambda, in lambda.UpdateFunctionCodeInput) []Need {
	return append(on(functionARN(l.Region, in.FunctionName)), reads(in.Code, nil)...)
}

func configureNeeds(l *Lambda, in lambda.UpdateFunctionConfigurationInput) []Need {
	list := on(functionARN(l.Region, in.FunctionName))
	if in.Role != nil {
		list = append(list, passes(*in.Role)...)
	}
	return append(list, reads(lambda.Code{}, in.Layers)...)
}

// layerARN names a layer, or a version of it, as policies do.
func layerARN(region, name string, version int) string {
	if !strings.HasPrefix(name, "arn:") {
		name = arn.ARN{Partition: "aws", Service: "lambda", Region: region, Account: arn.Account, Resource: "layer:" + name}.String()
	}
	if version > 0 {
		name += ":" + strconv.Itoa(version)
	}
	return name
}

func layerNeeds(l *Lambda, in lambda.LayerInput) []Need {
	if in.Arn != "" {
		return on(in.Arn)
	}
	return on(layerARN(l.Region, in.LayerName, in.VersionNumber))
}

func layersNeeds(*Lambda, lambda.LayersInput) []Need { return on("*") }

func publishLayerNeeds(l *Lambda, in lambda.PublishLayerVersionInput) []Need {
	return append(on(layerARN(l.Region, in.LayerName, 0)), reads(in.Content, nil)...)
}

// mappingNeeds name the function, as policies of mappings do.
func mappingNeeds(l *Lambda, in lambda.MappingInput) []Need {
	if in.FunctionName == "" {
		return on("*")
	}
	need := Need{Resource: "*", Conditions: map[string][]string{"lambda:FunctionArn": {functionARN(l.Region, in.FunctionName)}}}
	return []Need{need}
}

func mappingIDNeeds(*Lambda, lambda.MappingID) []Need { return on("*") }

func mappingsNeeds(*Lambda, lambda.MappingsInput) []Need { return on("*") }
