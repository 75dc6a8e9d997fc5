package cloudformation

import (
	"context"
	"fmt"
	"strings"
)

// dynamic replaces what a text takes from elsewhere when it is deployed:
// {{resolve:ssm:NAME:VERSION}} and {{resolve:ssm-secure:NAME:VERSION}}.
func (e *evaluation) dynamic(ctx context.Context, s string) (string, error) {
	const opening = "{{resolve:"
	if !strings.Contains(s, opening) {
		return s, nil
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, opening)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		reference, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return "", fmt.Errorf("%s without a closing }}", opening)
		}
		value, err := e.resolve(ctx, reference)
		if err != nil {
			return "", fmt.Errorf("%s%s}}: %w", opening, reference, err)
		}
		b.WriteString(value)
		s = after
	}
}

func (e *evaluation) resolve(ctx context.Context, reference string) (string, error) {
	service, name, _ := strings.Cut(reference, ":")
	switch service {
	case "ssm", "ssm-secure":
		if name == "" {
			return "", fmt.Errorf("the name of a parameter is missing")
		}
		return e.stored(ctx, name)
	case "secretsmanager":
		return "", invalid("Secrets Manager is not available here; keep the secret as a SecureString of Parameter Store and write {{resolve:ssm-secure:NAME}}")
	}
	return "", fmt.Errorf("%q is none of ssm, ssm-secure", service)
}
