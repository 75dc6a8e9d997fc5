package secret

import (
	"context"
	"slices"

	"github.com/dropstack/dropstack/internal/fault"
)

// DeleteParameterInput names a parameter.
type DeleteParameterInput struct{ Name string }

// None is an answer without members.
type None struct{}

// DeleteParameter removes a parameter with all its versions.
func (p *Parameters) DeleteParameter(ctx context.Context, in DeleteParameterInput) (None, error) {
	known, err := p.named(in.Name)
	if err != nil {
		return None{}, err
	}
	removed, err := p.remove(ctx, known.Name, nil)
	if err == nil && !removed {
		err = notFound(in.Name)
	}
	return None{}, err
}

// DeleteParametersInput names up to ten parameters.
type DeleteParametersInput struct{ Names []string }

// DeleteParametersOutput is those that were removed, and the names of which there
// are none.
type DeleteParametersOutput struct {
	DeletedParameters []string
	InvalidParameters []string
}

// DeleteParameters removes several parameters.
func (p *Parameters) DeleteParameters(ctx context.Context, in DeleteParametersInput) (DeleteParametersOutput, error) {
	if err := checkNames(in.Names); err != nil {
		return DeleteParametersOutput{}, err
	}
	out := DeleteParametersOutput{[]string{}, []string{}}
	for i, name := range in.Names {
		if slices.Contains(in.Names[:i], name) {
			continue
		}
		_, err := p.DeleteParameter(ctx, DeleteParameterInput{name})
		switch {
		case err == nil:
			out.DeletedParameters = append(out.DeletedParameters, name)
		case isMissing(err):
			out.InvalidParameters = append(out.InvalidParameters, name)
		default:
			return DeleteParametersOutput{}, err
		}
	}
	return out, nil
}

// isMissing reports whether err says that a name means nothing: as it is spelled,
// or because there is no such parameter or version.
func isMissing(err error) bool {
	switch fault.CodeOf(err) {
	case "ParameterNotFound", "ParameterVersionNotFound", "ValidationException":
		return true
	}
	return false
}
