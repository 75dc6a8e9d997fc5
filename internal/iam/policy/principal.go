package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// principal is one entry of a Principal element.
type principal struct {
	text    string
	all     bool   // "*"
	account string // an account, by number or by its root's ARN
	arn     string // a user, a role or a session of it
	service string
	userID  string // what stands for the ARN of a principal that is gone
}

// reach is how a principal element reaches a caller, from not at all to by name.
type reach uint8

const (
	unreached reach = iota
	byAccount       // its account is named, which leaves it to the identity's policies
	byRole          // everybody, or the caller's role is named
	byName          // the caller itself
)

// principalTypes are the members of a Principal element that is an object.
const principalTypes = "AWS, Service, Federated, CanonicalUser"

func compilePrincipal(kind, text string) (principal, error) {
	p := principal{text: text}
	if text == "*" && kind == "AWS" {
		p.all = true
		return p, nil
	}
	known := kind == "AWS" || kind == "Service"
	switch {
	case known && strings.ContainsAny(text, "*?$"):
		return p, errors.New(`"*" must stand alone, as an AWS principal; there are no other wildcards and no variables`)
	case kind == "Service":
		if !strings.Contains(text, ".") {
			return p, fmt.Errorf("%q is no service such as lambda.amazonaws.com", text)
		}
		p.service = strings.ToLower(text)
	case kind == "AWS":
		return p, p.aws(text)
	case kind == "CanonicalUser":
		if !canonical.MatchString(text) {
			return p, fmt.Errorf("%q is no canonical user: 64 hexadecimal digits", text)
		}
		p.arn = text // nobody who asks: it stands for a distribution, and the edge reads buckets without asking
	case kind == "Federated":
		return p, errors.New("there are no Federated principals here; name an AWS principal or a Service")
	default:
		return p, fmt.Errorf("%q is no type of principal; it is one of %s", kind, principalTypes)
	}
	return p, nil
}

var canonical = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (p *principal) aws(text string) error {
	if isAccount(text) {
		p.account = text
		return nil
	}
	a, ok := split(text)
	switch {
	case ok && a[4] == "cloudfront" && strings.HasPrefix(a[5], "user/CloudFront Origin Access Identity "):
		p.arn = text // likewise
	case strings.HasPrefix(text, "AIDA") || strings.HasPrefix(text, "AROA"):
		p.userID = text
	case !ok || a[2] != "iam" && a[2] != "sts" || !isAccount(a[4]):
		return fmt.Errorf("%q is no principal: an account, or the ARN of an account's root, a user, a role or a session of one", text)
	case a[5] == "root":
		p.account = a[4]
	case strings.HasPrefix(a[5], "user/") || strings.HasPrefix(a[5], "role/") || strings.HasPrefix(a[5], "assumed-role/"):
		p.arn = text
	default:
		return fmt.Errorf("%q is no principal: root, user/NAME, role/NAME or assumed-role/ROLE/SESSION must follow the account", text)
	}
	return nil
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// Caller is who asks, as Principal elements see it.
type Caller struct {
	ARN     string // empty for a service
	Account string
	RoleARN string // of a session of a role
	UserID  string
	Service string // such as sns.amazonaws.com
}

func (p *principal) reach(c *Caller) reach {
	switch {
	case p.all:
		return byRole
	case p.service != "":
		if p.service == c.Service {
			return byName
		}
	case p.account != "":
		if p.account == c.Account && c.Service == "" {
			return byAccount
		}
	case p.userID != "":
		if p.userID == c.UserID {
			return byName
		}
		if strings.HasPrefix(c.UserID, p.userID+":") {
			return byRole
		}
	case p.arn == c.ARN:
		return byName
	case p.arn == c.RoleARN:
		return byRole
	}
	return unreached
}
