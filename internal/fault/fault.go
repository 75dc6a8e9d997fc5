// Package fault names the kinds of error that somebody has to act on.
//
// Rooms return errors that carry a Kind; only the surfaces (HTTP, the command
// line) turn a kind into a status or an exit code.
package fault

import (
	"errors"
	"fmt"
)

// Kind says who has to act on an error.
type Kind uint8

const (
	Internal        Kind = iota // ours: log it, show the caller only the request id
	Invalid                     // the caller's input is wrong and will stay wrong
	NotFound                    // what was named does not exist
	Conflict                    // it exists already, or changed meanwhile
	Unauthenticated             // no credentials, or credentials that do not verify
	Denied                      // known caller, not allowed
	Throttled                   // try again later, slower
	TooLarge                    // over a documented limit, which the message names
	Unavailable                 // ours for now: shutting down, disk full, engine away
)

var names = [...]string{"internal", "invalid", "not found", "conflict", "unauthenticated", "denied", "throttled", "too large", "unavailable"}

func (k Kind) String() string { return names[k] }

// Error is an error of a kind. Code, when set, is the wire name that official
// clients match on, such as "TooManyRequestsException".
type Error struct {
	Kind Kind
	Code string
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a kind; %w works as in fmt.Errorf.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// Coded is Errorf with a wire name.
func Coded(kind Kind, code, format string, args ...any) error {
	return &Error{Kind: kind, Code: code, Err: fmt.Errorf(format, args...)}
}

// KindOf returns the kind of the outermost Error in err's chain, Internal if
// there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// CodeOf returns the wire name of the first Error in err's chain that has one.
func CodeOf(err error) string {
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.Code != "" {
			return e.Code
		}
		err = e.Err
	}
	return ""
}
