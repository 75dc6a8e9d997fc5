// Package gateway turns HTTP requests into proxy events and results into
// responses, as API Gateway does: REST APIs with format 1.0, HTTP APIs with 2.0.
package gateway

// Kinds of API.
const (
	REST = "REST"
	HTTP = "HTTP"
)

// API is one deployed API of a stack; a stack has at most one of each kind.
type API struct {
	Stack       string   `json:"stack"`
	ID          string   `json:"id"` // 10 characters, the same for the same stack and kind
	Kind        string   `json:"kind"`
	Name        string   `json:"name"`
	Stage       string   `json:"stage"` // REST: the stage; HTTP: "$default"
	Routes      []Route  `json:"routes"`
	BinaryTypes []string `json:"binaryMediaTypes,omitempty"` // REST only
	CORS        *CORS    `json:"cors,omitempty"`             // HTTP only
}

// Route sends a method and path to a function. Method "ANY" and path parts
// {name} and {name+} are as in API Gateway; "$default" is the HTTP API's catch-all.
type Route struct {
	Method   string `json:"method"`
	Path     string `json:"path"`
	Function string `json:"function"`
	CORS     *CORS  `json:"cors,omitempty"` // REST only
}

// CORS is what preflight requests are answered with.
type CORS struct {
	Origins          []string `json:"origins,omitempty"`
	Headers          []string `json:"headers,omitempty"`
	Methods          []string `json:"methods,omitempty"`
	ExposeHeaders    []string `json:"exposeHeaders,omitempty"`
	AllowCredentials bool     `json:"allowCredentials,omitempty"`
	MaxAgeSeconds    int      `json:"maxAge,omitempty"`
}
