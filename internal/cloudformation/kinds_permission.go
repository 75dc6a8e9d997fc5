package cloudformation

import (
	"context"
	"encoding/json"
	"maps"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/iam/policy"
)

// statement is one of a function's resource policy.
type statement struct {
	Sid       string
	Effect    string
	Principal any
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// resourcePolicy is a function's, of one qualifier.
type resourcePolicy struct {
	Version   string
	Id        string
	Statement []json.RawMessage
}

// lambdaPermission is AWS::Lambda::Permission: a statement of the function's policy,
// whose id is the permission's.
func lambdaPermission(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("FunctionName", "Action", "Principal")
	f, qualifier := in.ownFunction(p, "FunctionName", "")
	s := statement{Sid: p.name(r, "", 100), Effect: "Allow", Action: in.text("Action"), Principal: principal(in.text("Principal"))}
	if !strings.HasPrefix(s.Action, "lambda:") {
		in.fail("Action", "%q must begin with lambda:", s.Action)
	}
	in.refuse("nothing would check it", "EventSourceToken")
	in.refuse("there are no organisations", "PrincipalOrgID")
	via := in.flag("InvokedViaFunctionUrl")
	for _, c := range []struct{ operator, key, property string }{
		{"StringEquals", "AWS:SourceAccount", "SourceAccount"},
		{"StringEquals", "lambda:FunctionUrlAuthType", "FunctionUrlAuthType"},
		{"ArnLike", "AWS:SourceArn", "SourceArn"},
	} {
		if value := in.text(c.property); value != "" {
			s.require(c.operator, c.key, value)
		}
	}
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	id := Identity{Physical: s.Sid, Attributes: map[string]string{"Id": s.Sid}}
	if via {
		// What a URL's caller may do is said by lambda:InvokeFunctionUrl here; a
		// statement that lets everybody call the function otherwise would say more than
		// the template does.
		return id, nil
	}
	if s.Resource = f.ARN; qualifier != "" {
		s.Resource += ":" + qualifier
	}
	if err := permit(f, qualifier, s); err != nil {
		in.fail("Principal", "%v", err)
		return Identity{}, in.done(p)
	}
	if p.revision.Granted == nil {
		p.revision.Granted = map[string][]string{}
	}
	p.revision.Granted[f.Name] = append(p.revision.Granted[f.Name], s.Sid)
	return id, nil
}

func (s *statement) require(operator, key, value string) {
	if s.Condition == nil {
		s.Condition = map[string]map[string]string{}
	}
	if s.Condition[operator] == nil {
		s.Condition[operator] = map[string]string{}
	}
	s.Condition[operator][key] = value
}

func principal(s string) any {
	switch {
	case s == "*":
		return s
	case strings.HasPrefix(s, "arn:"):
		return map[string]string{"AWS": s}
	case len(s) == 12 && strings.Trim(s, "0123456789") == "":
		return map[string]string{"AWS": arn.ARN{Partition: "aws", Service: "iam", Account: s, Resource: "root"}.String()}
	}
	return map[string]string{"Service": s}
}

// permit adds a statement to a function's policy.
func permit(f *function.Function, qualifier string, s statement) error {
	doc := resourcePolicy{Version: "2012-10-17", Id: "default"}
	if text := f.Policies[qualifier]; text != "" {
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			return err
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	doc.Statement = append(doc.Statement, text)
	all, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if _, err := policy.Parse(policy.Resource, string(all)); err != nil {
		return err
	}
	next := map[string]string{}
	maps.Copy(next, f.Policies)
	next[qualifier] = string(all)
	f.Policies = next
	return nil
}
