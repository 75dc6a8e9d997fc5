package policy

// Outcome is what a policy, or all of them, say of a request.
type Outcome uint8

// The outcomes, from the weakest; an explicit denial wins over everything.
const (
	ImplicitDeny Outcome = iota // nothing allows it
	Allow
	ExplicitDeny
)

// String is the simulator's word.
func (o Outcome) String() string {
	return [...]string{"implicitDeny", "allowed", "explicitDeny"}[o]
}
