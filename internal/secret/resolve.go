package secret

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// Resolve returns the parameters that references name, in clear, for those who
// may read them: what ${ssm:NAME} means in a configuration. A reference is a name
// or an ARN, and a version or a label behind a colon. When some are not there,
// the error names all of those.
func (p *Parameters) Resolve(ctx context.Context, refs []string) (map[string]Parameter, error) {
	found := map[string]Parameter{}
	err := p.recorded(ctx, "GetParameter", refs, func() error {
		var missing []error
		for _, text := range refs {
			param, err := p.readable(ctx, "ssm:GetParameter", text)
			if isMissing(err) {
				missing = append(missing, err)
			} else if err != nil {
				return err
			}
			found[text] = param
		}
		return errors.Join(missing...)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// readable returns a parameter in clear if the caller may do action with it.
func (p *Parameters) readable(ctx context.Context, action, text string) (Parameter, error) {
	ref, err := p.parse(text)
	if err != nil {
		return Parameter{}, err
	}
	if err := p.Authority.Authorize(ctx, action, p.ARN(text), resourceTags(p.Tags(text))); err != nil {
		return Parameter{}, err
	}
	param, err := p.get(ctx, ref, true)
	if err != nil {
		return Parameter{}, fmt.Errorf("parameter %s: %w", text, err)
	}
	return param, nil
}

// recorded has a read recorded before anybody gets its answer.
func (p *Parameters) recorded(ctx context.Context, action string, names []string, read func() error) error {
	err := read()
	if p.Record == nil {
		return err
	}
	if failed := p.Record(ctx, action, names, err); failed != nil {
		return errors.Join(err, fault.Errorf(fault.Unavailable, "record that parameters are read: %w", failed))
	}
	return err
}

// Environment returns variables for a process, from
//
//	/app/db/PASSWORD   one parameter, which may have a version or a label behind it
//	/app/              all right below a path
//	/app/**            all below a path
//
// named as Variable names them; a parameter by itself has the last level of its
// name. Where two have one name, that of the later entry counts.
func (p *Parameters) Environment(ctx context.Context, entries []string) (map[string]string, error) {
	vars := map[string]string{}
	set := func(name string, param Parameter) error {
		if strings.Contains(param.Value, "\x00") {
			return fault.Errorf(fault.Invalid, "parameter %s cannot be in an environment: it holds a zero byte", param.Name)
		}
		vars[name] = param.Value
		return nil
	}
	err := p.recorded(ctx, "GetParametersByPath", entries, func() error {
		for _, entry := range entries {
			path, all := strings.CutSuffix(entry, "**")
			if !strings.HasSuffix(path, "/") {
				param, err := p.readable(ctx, "ssm:GetParameters", entry)
				if err != nil {
					return err
				}
				if err := set(param.Name[strings.LastIndex(param.Name, "/")+1:], param); err != nil {
					return err
				}
				continue
			}
			params, err := p.listed(ctx, path, all)
			if err != nil {
				return err
			}
			for _, param := range params {
				if err := set(Variable(path, param.Name), param); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return vars, nil
}

// listed returns everything below a path in clear, if the caller may read it.
func (p *Parameters) listed(ctx context.Context, path string, recursive bool) ([]Parameter, error) {
	conditions := map[string][]string{"ssm:Recursive": {boolText(recursive)}}
	if err := p.Authority.Authorize(ctx, "ssm:GetParametersByPath", p.ARN(path), conditions); err != nil {
		return nil, err
	}
	var all []Parameter
	in := GetParametersByPathInput{Path: path, Recursive: recursive, WithDecryption: true}
	for {
		out, err := p.GetParametersByPath(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("parameters below %s: %w", path, err)
		}
		all = append(all, out.Parameters...)
		if in.NextToken = out.NextToken; in.NextToken == "" {
			return all, nil
		}
	}
}
