package iam

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// Declaration is what a deployment says of permissions.
type Declaration struct {
	Roles []DeclaredRole
	// Functions are the stack's functions by ARN, with the ARN of the role that
	// each runs as; with "" it gets a role of its own that may only write its log.
	Functions map[string]string
}

// DeclaredRole is a role that a deployment brings, and takes with it.
type DeclaredRole struct {
	Name, Path, Description string
	Trust                   string            // the trust policy; "" trusts Lambda
	Inline                  map[string]string // policies by name
	Attached                []string          // ARNs of managed policies
	Tags                    []Tag
	MaxSessionDuration      int // seconds; 0 is an hour
}

// lambdaTrust is the trust policy of a role for functions.
const lambdaTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// declared is a stack's part of the snapshot.
type declared struct {
	roles     []*role           // those of single functions too
	functions map[string]string // ARN of the role, by the function's ARN
}

// Replace makes the roles that a stack declares, and the credentials of its
// functions, valid, and no others of that stack. It fails, changing nothing, when a
// policy is malformed or a role's name is taken.
func (a *Authority) Replace(stack string, d Declaration) error {
	next := &declared{functions: map[string]string{}}
	for _, r := range d.Roles {
		made, err := declare(stack, r)
		if err != nil {
			return err
		}
		next.roles = append(next.roles, made)
	}
	for function, role := range d.Functions {
		if role == "" {
			own, err := declare(stack, ownRole(function))
			if err != nil {
				return err
			}
			next.roles, role = append(next.roles, own), own.arn()
		}
		next.functions[function] = role
	}
	a.changes.Lock() // nobody makes a role of the same name meanwhile
	defer a.changes.Unlock()
	return a.swap(func(s *snapshot) error {
		delete(s.stacks, stack)
		if len(next.roles)+len(next.functions) == 0 {
			return nil
		}
		for _, r := range next.roles {
			if err := s.free(r); err != nil {
				return err
			}
		}
		s.stacks[stack] = next
		return nil
	})
}

// free tells whether a declared role's name is nobody else's. The role of a single
// function may have the name of another: its path tells them apart.
func (s *snapshot) free(r *role) error {
	if r.Path == ownPath {
		return nil
	}
	name := strings.ToLower(r.Name)
	taken := s.roles[name] != nil
	for _, d := range s.stacks {
		for _, other := range d.roles {
			taken = taken || strings.ToLower(other.Name) == name && other.Path != ownPath
		}
	}
	if taken {
		return fault.Coded(fault.Conflict, "EntityAlreadyExists", "Role with name %s already exists.", r.Name)
	}
	return nil
}

func declare(stack string, d DeclaredRole) (*role, error) {
	path, err := checkName("role", d.Name, d.Path)
	if err != nil {
		return nil, err
	}
	r := &role{
		identity: identity{
			Name: d.Name, Path: path, ID: fixedID("AROA", stack+"\x00"+path+d.Name), Tags: d.Tags,
			Created: time.Unix(0, 0).UTC(), Inline: d.Inline, Attached: d.Attached,
		},
		Description: d.Description, Trust: d.Trust, MaxSession: d.MaxSessionDuration, declared: true,
	}
	if r.Trust == "" {
		r.Trust = lambdaTrust
	}
	if r.MaxSession == 0 {
		r.MaxSession = defaultSession
	}
	return r, r.compile()
}

// ownPath is of the roles of single functions.
const ownPath = "/function/"

// ownRole is the role of a function that declares none.
func ownRole(function string) DeclaredRole {
	name, region := functionName(function), arn.Region
	if a, err := arn.Parse(function); err == nil {
		region = a.Region
	}
	group := arn.ARN{Partition: "aws", Service: "logs", Region: region, Account: arn.Account, Resource: "log-group:/aws/lambda/" + name}.String()
	doc, err := json.Marshal(map[string]any{
		"Version": "2012-10-17",
		"Statement": []any{map[string]any{
			"Effect": "Allow", "Action": []string{"logs:CreateLogStream", "logs:PutLogEvents"}, "Resource": []string{group, group + ":*"},
		}},
	})
	if err != nil {
		panic(err) // there is nothing in it that JSON has no words for
	}
	return DeclaredRole{Name: name, Path: ownPath, Inline: map[string]string{"logs": string(doc)}}
}
