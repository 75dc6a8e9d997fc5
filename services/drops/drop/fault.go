package drop

import (
	"fmt"
	"net/http"
)

// Error is what the API answers: {code, message, statusCode, errors}.
type Error struct {
	Code    string       `json:"code"`
	Message string       `json:"message"`
	Status  int          `json:"statusCode"`
	Fields  []FieldError `json:"errors,omitempty"`

	RetryAfter int `json:"-"` // seconds, with 429
}

// FieldError says what is wrong with one field.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Errorf makes an Error.
func Errorf(status int, code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: status}
}

// Invalid makes the 400 for a field that is wrong.
func Invalid(field, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	return &Error{
		Code: "CreateDrop.InvalidOption", Message: field + ": " + msg, Status: http.StatusBadRequest,
		Fields: []FieldError{{Field: field, Message: msg}},
	}
}
