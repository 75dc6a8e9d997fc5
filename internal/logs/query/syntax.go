package query

// Stage is a search or a command.
type Stage interface{ print(p *printer) }

// The commands.
type (
	// Search keeps what a search finds; Filter keeps what a condition holds for. They
	// differ in how they are written.
	Search struct{ Where Expr }
	Filter struct{ Where Expr }
	// Fields makes fields of expressions, and shows them; Display shows these only.
	Fields  struct{ Items []Item }
	Display struct{ Items []Item }
	// Extract, which is written parse, makes fields of parts of a text.
	Extract struct {
		From    Expr
		Pattern Pattern // a text with *, or a regular expression
		Names   []string
	}
	// Stats makes one row of the records of each group.
	Stats struct {
		Items []Item
		By    []Item
	}
	Sort  struct{ Keys []Key }
	Limit struct{ N int }
	// Top is the most frequent values.
	Top struct {
		N  int
		By []Item
	}
	// Dedup keeps the first of each combination of values.
	Dedup struct{ By []Expr }
)

// Item is an expression with a name of its own, or "".
type Item struct {
	Expr Expr
	As   string
}

// Key is what rows are sorted by.
type Key struct {
	Expr Expr
	Desc bool
}

// Expr is an expression.
type Expr interface{ printExpr(p *printer) }

// Pattern is a text, or a regular expression.
type Pattern struct {
	Text   string
	Regexp bool
}

// The expressions.
type (
	Field   struct{ Name string }
	Literal struct{ Value Value } // text or number
	Period  struct {
		N    int64
		Unit string // ms s m h d w mo q y
	}
	Star struct{} // of count(*)
	Call struct {
		Name string
		Args []Expr
	}
	Unary struct {
		Op string // - not
		X  Expr
	}
	Binary struct {
		Op   string // or and = != < <= > >= + - * / % ^
		X, Y Expr
	}
	Like struct {
		X       Expr
		Not     bool
		Pattern Pattern
	}
	In struct {
		X    Expr
		Not  bool
		List []Expr // literals
	}
	// Find is a term of a search.
	Find struct {
		Field string // "": anywhere in the message
		Kind  FindKind
		Parts []string // of a word, between its asterisks
		Text  string   // of a phrase or a regular expression
		Op    string   // of a comparison
		Value Value    // that it compares with
		Range *Bounds
	}
)

// FindKind is how a term is written.
type FindKind uint8

const (
	FindWord    FindKind = iota // in any case, * for anything
	FindPhrase                  // exactly
	FindRegexp                  // somewhere
	FindCompare                 // > >= < <=
	FindRange                   // [a TO b]
)

// Bounds is a range. A bound that is null is open.
type Bounds struct {
	Low, High                   Value
	LowExclusive, HighExclusive bool
}
