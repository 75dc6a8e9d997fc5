package gateway

// Kinds of authorizer.
const (
	AuthorizerToken   = "TOKEN"   // REST: a function is given one header
	AuthorizerRequest = "REQUEST" // a function is given the request
	AuthorizerJWT     = "JWT"     // HTTP: a token's signature and claims are checked
	AuthorizerIAM     = "AWS_IAM" // no authorizer of the API: the request is signed
)

// Authorizer decides who may call a route.
type Authorizer struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	Function string `json:"function,omitempty"` // of TOKEN and REQUEST: name or name:qualifier
	// Identity is where that which a decision is kept by comes from:
	// "method.request.header.Authorization" in REST APIs,
	// "$request.header.Authorization" in HTTP APIs. A request without it is refused.
	Identity []string `json:"identitySource,omitempty"`
	Pattern  string   `json:"identityValidationExpression,omitempty"` // TOKEN: what the token must match
	TTL      int      `json:"resultTtl,omitempty"`                    // seconds for which a decision is kept, 0-3,600
	Payload  string   `json:"payloadFormatVersion,omitempty"`         // HTTP: "1.0" or "2.0"
	Simple   bool     `json:"simpleResponses,omitempty"`              // HTTP, 2.0: {isAuthorized, context} instead of a policy
	Issuer   string   `json:"issuer,omitempty"`                       // JWT: URL
	Audience []string `json:"audience,omitempty"`                     // JWT: any of which
}

// Validation is what a request must have before a function sees it. REST only.
type Validation struct {
	// Parameters are those that must be there: "querystring.page", "header.X-Key",
	// "path.id".
	Parameters []string `json:"parameters,omitempty"`
	// Models are JSON schemas (draft 4) by content type.
	Models map[string]string `json:"models,omitempty"`
}

// Response is what a REST API answers in place of a kind of error of its own.
type Response struct {
	Type       string            `json:"type"`                 // DEFAULT_4XX, UNAUTHORIZED ...
	Status     int               `json:"status,omitempty"`     // 0: the kind's own
	Parameters map[string]string `json:"parameters,omitempty"` // "gatewayresponse.header.X": "'text'", or where in the request
	Templates  map[string]string `json:"templates,omitempty"`  // by content type, with $context variables
}

// AccessLog writes a line for each request to a log group.
type AccessLog struct {
	Group  string `json:"group"`  // name of the log group
	Format string `json:"format"` // with $context variables
}

// Integrations of a route.
const (
	IntegrationProxy = ""      // the function gets the request, and answers it
	IntegrationAsync = "async" // REST: the function gets the framework's event and is not waited for; 200 is answered
	IntegrationEvent = "event" // REST: "integration: lambda": the function gets the framework's event, its result is the answer
	IntegrationHTTP  = "http"  // the request goes to a URL
	IntegrationMock  = "mock"  // REST: answered without a function
)

// APIKey is a key that clients send in X-Api-Key. REST only.
type APIKey struct {
	Stack       string            `json:"stack"`
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Value       string            `json:"value,omitempty" audit:"hidden"` // 20-128 characters; of a deployment "": what it was before, or a new one
	Sealed      []byte            `json:"sealedValue,omitempty"`          // Value as it is stored, encrypted; in memory it is empty
	Description string            `json:"description,omitempty"`
	Customer    string            `json:"customerId,omitempty"`
	Disabled    bool              `json:"disabled,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// UsagePlan says which keys may call which stages, and how often. REST only.
type UsagePlan struct {
	Stack       string      `json:"stack"`
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	Description string      `json:"description,omitempty"`
	Stages      []PlanStage `json:"stages,omitempty"`
	Keys        []string    `json:"keys,omitempty"` // ids
	Quota       *Quota      `json:"quota,omitempty"`
	Throttle    *Throttle   `json:"throttle,omitempty"`
}

// PlanStage is a stage of an API in a usage plan.
type PlanStage struct {
	API   string `json:"api"` // id
	Stage string `json:"stage"`
}

// Quota bounds the requests of each key in a period.
type Quota struct {
	Limit  int    `json:"limit"`
	Offset int    `json:"offset,omitempty"` // requests taken off the first period
	Period string `json:"period"`           // DAY, WEEK or MONTH
}

// Throttle is a token bucket.
type Throttle struct {
	Rate  float64 `json:"rate"`  // requests a second
	Burst int     `json:"burst"` // requests at once
}
