// Package lambda is AWS Lambda's API of functions and layers: what makes, changes
// and removes them while the platform runs, and how it describes them.
//
// A function that a call makes is part of the stack deploy.APIStack; one that a
// serverless.yml made stays in its own, and what calls change of it lasts until it
// is deployed again, but for its resource policies and tags, which no
// serverless.yml has. Every change is one edit of a revision: it is there wholly,
// after a crash too, or not at all. Code becomes an artifact named by its content,
// as the code of a deployment does.
package lambda

import (
	"context"
	"strings"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// Functions is the room of the API. All fields but Presign and Roles are required.
type Functions struct {
	Deployer Deployer
	Invoker  Invoker
	Objects  engine.ObjectStore
	Region   string
	// Presign makes a URL from which an object can be fetched for some minutes.
	// Optional: then answers have no location of code.
	Presign func(ctx context.Context, bucket, key string) (string, error)
	// Roles knows the roles that functions can run as. Optional: then any will do.
	Roles Roles
	// URL is where a function's URL answers, from its host.
	URL func(host string) string
}

// Deployer is what the room needs of deployments.
type Deployer interface {
	Edit(ctx context.Context, stack string, change func(*deploy.Revision) error) (*deploy.Revision, error)
	List() map[string]*deploy.Revision
}

// Invoker is what the room needs of the function room.
type Invoker interface {
	Get(name string) (function.Function, error)
	List() []function.Function
	PublishVersion(ctx context.Context, name, description string) (function.Function, error)
	DeleteVersion(ctx context.Context, name, version string) error
	Aliases(name string) ([]function.Alias, error)
}

// Roles is what the room needs of permissions.
type Roles interface {
	// Trusts is an error unless a role exists and trusts a service.
	Trusts(ctx context.Context, roleARN, service string) error
}

// invalid is Lambda's error for a value that it does not take.
func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "InvalidParameterValueException", format, args...)
}

// unsupported refuses what would have no effect here.
func unsupported(member, consequence string) error {
	return invalid("%s is not supported here: %s", member, consequence)
}

func notFound(format string, args ...any) error {
	return fault.Coded(fault.NotFound, "ResourceNotFoundException", format, args...)
}

func conflict(format string, args ...any) error {
	return fault.Coded(fault.Conflict, "ResourceConflictException", format, args...)
}

// latest is a function as it is now, which its name must mean: not a version's.
func (l *Functions) latest(name string) (function.Function, error) {
	fn, err := l.Invoker.Get(name)
	if err != nil {
		return fn, err
	}
	if fn.Version != function.Latest {
		return fn, invalid("%s is a version; only $LATEST of a function can be changed", name)
	}
	return fn, nil
}

// edit changes a function in the revision that it is part of. revision, unless it
// is empty, is what the caller believes its RevisionId to be.
func (l *Functions) edit(ctx context.Context, name, revision string, change func(*deploy.Revision, *function.Function) error) (function.Function, error) {
	fn, err := l.latest(name)
	if err != nil {
		return fn, err
	}
	// a client that leaves must not cut an edit in two
	rev, err := l.Deployer.Edit(context.WithoutCancel(ctx), fn.Stack, func(r *deploy.Revision) error {
		f := find(r, fn.Name)
		if f == nil {
			return notFound("Function not found: %s", fn.ARN)
		}
		if err := expect(*f, revision); err != nil {
			return err
		}
		return change(r, f)
	})
	if err != nil {
		return fn, err
	}
	if f := find(rev, fn.Name); f != nil {
		return *f, nil
	}
	return fn, nil
}

// expect fails when a function is not what its caller believes it to be.
func expect(fn function.Function, revision string) error {
	if revision == "" || revision == RevisionID(fn) {
		return nil
	}
	return fault.Coded(fault.Conflict, "PreconditionFailedException",
		"The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
}

// find returns a function of a revision, or nil.
func find(r *deploy.Revision, name string) *function.Function {
	for i := range r.Functions {
		if r.Functions[i].Name == name {
			return &r.Functions[i]
		}
	}
	return nil
}

// qualified joins a name and a qualifier that is given beside it.
func qualified(name, qualifier string) string {
	if qualifier == "" {
		return name
	}
	return name + ":" + qualifier
}

// onlyLatest refuses a qualifier where settings are the function's alone.
func onlyLatest(qualifier, what string) error {
	if qualifier == "" || qualifier == function.Latest {
		return nil
	}
	return invalid("%s is kept for a function as a whole here, not for the qualifier %q; leave Qualifier out", what, qualifier)
}

// bareName is the name in what callers may give: name, account:function:name or
// ARN. ok is false when there is a qualifier or the name is none.
func bareName(s string) (string, bool) {
	if i := strings.LastIndex(s, ":function:"); i >= 0 {
		s = s[i+len(":function:"):]
	}
	return s, function.ValidName(s)
}
