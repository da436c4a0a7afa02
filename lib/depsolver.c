/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/depsolver.h>

#include <solv/evr.h>
#include <solv/pool.h>
#include <solv/poolarch.h>
#include <solv/repo.h>
#include <solv/repo_deb.h>
#include <solv/repo_rpmmd.h>
#include <solv/solver.h>

#define NEAR_MAX   5u   /* names that an error offers */
#define REASON_MAX 6u   /* sentences of a problem */
#define ROUNDS_MAX 64u  /* of solving again */

struct depsolver {
	enum depsolver_kind kind;
	Pool *pool;
	Repo *there, *present;
	struct strv names;      /* that machines have already */
};

void depsolver_picks_release(struct depsolver_picks *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->items[i].name);
		free(v->items[i].version);
		free(v->items[i].architecture);
	}
	free(v->items);
	*v = (struct depsolver_picks){ 0 };
}

static int compare_picks(const void *a, const void *b)
{
	const struct depsolver_pick *x = a, *y = b;
	int by = strcmp(x->name, y->name);

	by = by ? by : strcmp(x->version, y->version);
	return by ? by : strcmp(x->architecture, y->architecture);
}

const struct depsolver_pick *depsolver_picks_find(const struct depsolver_picks *v, const struct depsolver_pick *package)
{
	return v->n ? bsearch(package, v->items, v->n, sizeof(*package), compare_picks) : NULL;
}

static int compare_name(const void *name, const void *pick)
{
	return strcmp(name, ((const struct depsolver_pick *)pick)->name);
}

bool depsolver_picks_named(const struct depsolver_picks *v, const char *name)
{
	return v->n && bsearch(name, v->items, v->n, sizeof(v->items[0]), compare_name);
}

/* ---- what there is */

struct depsolver *depsolver_new(enum depsolver_kind kind, const char *architecture)
{
	struct depsolver *s = xcalloc(1, sizeof(*s));

	s->kind = kind;
	s->pool = pool_create();
	pool_setdisttype(s->pool, kind == DEPSOLVER_DEB ? DISTTYPE_DEB : DISTTYPE_RPM);
	/* This one alone: x86_64 would bring i686 along. */
	pool_setarchpolicy(s->pool, architecture);
	s->there = repo_create(s->pool, "repository");
	s->present = repo_create(s->pool, "present");
	pool_set_installed(s->pool, s->present);
	return s;
}

void depsolver_free(struct depsolver *s)
{
	if (!s)
		return;
	pool_free(s->pool);
	strv_release(&s->names);
	free(s);
}

/* libsolv reads Replaces as "is the newer name of", and would always take libelogind0 for libsystemd0. */
static void drop_replaces(struct depsolver *s)
{
	Solvable *each;
	Id p;

	FOR_REPO_SOLVABLES(s->there, p, each)
		each->obsoletes = 0;
}

int depsolver_add(struct depsolver *s, const void *p, size_t n, struct err *e)
{
	FILE *f;
	int rc;

	if (n == 0)
		return 0;
	f = fmemopen((void *)p, n, "r");
	if (!f)
		return err_sys(e, "index");
	rc = s->kind == DEPSOLVER_DEB ? repo_add_debpackages(s->there, f, 0) : repo_add_rpmmd(s->there, f, NULL, 0);
	fclose(f);
	if (s->kind == DEPSOLVER_DEB)
		drop_replaces(s);
	return rc ? err_set(e, ERR_MALFORMED, "index: %s", pool_errstr(s->pool)) : 0;
}

void depsolver_add_present(struct depsolver *s, const char *name)
{
	strv_push(&s->names, name);
}

/* ---- names */

/* NAME or NAME=VERSION as the pool has it; *out_name is NAME alone. */
static Id parse_name(Pool *pool, const char *text, Id *out_name)
{
	const char *equals = strrchr(text, '=');

	/* Capabilities of RPMs have '=' in brackets at most. */
	if (!equals || equals == text || !equals[1] || strpbrk(equals, ")]"))
		return *out_name = pool_str2id(pool, text, 1);
	*out_name = pool_strn2id(pool, text, (unsigned)(equals - text), 1);
	return pool_rel2id(pool, *out_name, pool_str2id(pool, equals + 1, 1), REL_EQ, 1);
}

static bool named(const Solvable *s, Id name)
{
	return s->name == name && pool_installable(s->repo->pool, (Solvable *)s);
}

/* The best package of this name that fits; NULL: none. */
static Solvable *best_of(struct depsolver *s, Id name, Id dep)
{
	Solvable *best = NULL, *each;
	Id p;

	FOR_REPO_SOLVABLES(s->there, p, each) {
		if (!named(each, name) || !pool_match_nevr(s->pool, each, dep))
			continue;
		if (!best || pool_evrcmp(s->pool, each->evr, best->evr, EVRCMP_COMPARE) > 0)
			best = each;
	}
	return best;
}

/* A stand-in for what machines have: the same name, version and what it provides; its own needs are met there. */
static void make_present(struct depsolver *s, const char *text)
{
	Pool *pool = s->pool;
	Id name, dep = parse_name(pool, text, &name);
	Solvable *like = best_of(s, name, dep);
	Id evr = like ? like->evr : ISRELDEP(dep) ? GETRELDEP(pool, dep)->evr : pool_str2id(pool, "0", 1);
	Id arch = like ? like->arch : s->kind == DEPSOLVER_DEB ? ARCH_ALL : ARCH_NOARCH;
	Queue provides;

	queue_init(&provides);
	if (like)
		solvable_lookup_deparray(like, SOLVABLE_PROVIDES, &provides, 0);

	Solvable *made = pool_id2solvable(pool, repo_add_solvable(s->present));

	made->name = name;
	made->evr = evr;
	made->arch = arch;
	for (int i = 0; i < provides.count; i++)
		made->provides = repo_addid_dep(s->present, made->provides, provides.elements[i], 0);
	if (!like)
		made->provides = repo_addid_dep(s->present, made->provides, dep, 0);
	queue_free(&provides);
}

/* Letters that two names have in common, from their beginnings on or from their ends. */
static size_t common_head(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

static size_t common_tail(const char *a, const char *b)
{
	size_t x = strlen(a), y = strlen(b), n = 0;

	while (n < x && n < y && a[x - 1 - n] == b[y - 1 - n])
		n++;
	return n;
}

/* Names that begin most alike, or all versions of the name itself. */
static void add_near(struct depsolver *s, Id name, struct strv *out)
{
	const char *wanted = pool_id2str(s->pool, name);
	size_t longest = strlen(wanted) / 2;
	Solvable *each;
	Id p;

	FOR_REPO_SOLVABLES(s->there, p, each) {
		const char *have = pool_id2str(s->pool, each->name);
		size_t n = common_head(have, wanted);

		if (!pool_installable(s->pool, each) || n < longest)
			continue;
		if (n > longest) {
			strv_release(out);
			longest = n;
		}
		if (each->name == name)
			strv_pushf(out, "%s=%s", have, pool_id2str(s->pool, each->evr));
		else
			strv_push(out, have);
	}
	strv_sort(out);
	strv_uniq(out);
}

/* Nearest first: the one that ends most alike, and of equals the last, which is the newest. */
static int compare_near(const void *a, const void *b, void *wanted)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	size_t m = common_tail(x, wanted), n = common_tail(y, wanted);

	return m != n ? (m > n ? -1 : 1) : strcmp(y, x);
}

static int not_there(struct depsolver *s, const char *text, Id name, struct err *e)
{
	auto_strv struct strv near = { 0 }, some = { 0 };

	add_near(s, name, &near);
	if (!near.n)
		return err_set(e, ERR_USAGE, "%s: not in the repository", text);
	qsort_r(near.items, near.n, sizeof(*near.items), compare_near, (void *)pool_id2str(s->pool, name));
	for (size_t i = 0; i < near.n && i < NEAR_MAX; i++)
		strv_push(&some, near.items[i]);

	auto_free char *names = strv_join(&some, ", ");

	return err_set(e, ERR_USAGE, "%s: not in the repository; there %s: %s%s", text, near.n == 1 ? "is" : "are", names,
		       near.n > NEAR_MAX ? ", …" : "");
}

static int add_job(struct depsolver *s, const char *text, Queue *jobs, struct err *e)
{
	Pool *pool = s->pool;   /* FOR_PROVIDES wants it under this name */
	Id name, dep = parse_name(pool, text, &name), p, pp;
	int how = SOLVER_SOLVABLE_PROVIDES;

	if (pool_whatprovides(pool, dep) <= 1)
		return not_there(s, text, name, e);
	FOR_PROVIDES(p, pp, dep)
		if (named(pool_id2solvable(pool, p), name))
			how = SOLVER_SOLVABLE_NAME;
	queue_push2(jobs, SOLVER_INSTALL | how, dep);
	return 0;
}

/* ---- choices: libsolv takes any that fits, a distribution means the first and the real one */

static void flatten(const Pool *pool, Id dep, Queue *out)
{
	if (ISRELDEP(dep) && GETRELDEP(pool, dep)->flags == REL_OR) {
		flatten(pool, GETRELDEP(pool, dep)->name, out);
		flatten(pool, GETRELDEP(pool, dep)->evr, out);
	} else {
		queue_push(out, dep);
	}
}

static Id plain_name(const Pool *pool, Id dep)
{
	while (ISRELDEP(dep))
		dep = GETRELDEP(pool, dep)->name;
	return dep;
}

static bool provides(Pool *pool, Id dep, Id package)
{
	Id p, pp;

	FOR_PROVIDES(p, pp, dep)
		if (p == package)
			return true;
	return false;
}

/* Of packages any of which would do: the one that apt takes for this dependency. 0: any. */
static Id preferred(Pool *pool, Id dep, const Queue *choices)
{
	Queue atoms;
	Id best = 0;

	queue_init(&atoms);
	flatten(pool, dep, &atoms);
	for (int i = 0; i < atoms.count && !best; i++) {
		for (int k = 0; k < choices->count && !best; k++)
			if (pool_id2solvable(pool, choices->elements[k])->name == plain_name(pool, atoms.elements[i]))
				best = choices->elements[k];
		for (int k = 0; k < choices->count && !best; k++)
			if (provides(pool, atoms.elements[i], choices->elements[k]))
				best = choices->elements[k];
	}
	queue_free(&atoms);
	return best;
}

/* One choice of the last answer: whether another one is to be preferred from now on. */
static bool correct(struct depsolver *s, Solver *solv, int alternative, Map *seen, Queue *jobs)
{
	Id id, from, chosen, to, dep, want = 0;
	Queue choices;
	int level, type;

	queue_init(&choices);
	type = solver_get_alternative(solv, alternative, &id, &from, &chosen, &choices, &level);
	for (int i = 0; i < choices.count; i++)
		choices.elements[i] = abs(choices.elements[i]);
	solver_alternativeinfo(solv, type, id, from, &from, &to, &dep);
	if (dep)
		want = preferred(s->pool, dep, &choices);
	queue_free(&choices);
	if (!want || want == chosen || MAPTST(seen, want))
		return false;
	MAPSET(seen, want);
	queue_push2(jobs, SOLVER_FAVOR | SOLVER_SOLVABLE, want);
	return true;
}

static bool correct_all(struct depsolver *s, Solver *solv, Map *seen, Queue *jobs)
{
	bool some = false;

	for (int i = 1, n = solver_alternatives_count(solv); i <= n; i++)
		some |= correct(s, solv, i, seen, jobs);
	return some;
}

/* ---- why not */

/* "nothing provides libx needed by web-1.0.amd64", and who wants web. */
static int told(struct depsolver *s, Solver *solv, struct err *e)
{
	auto_strv struct strv all = { 0 };
	Queue rules;

	queue_init(&rules);
	solver_findallproblemrules(solv, 1, &rules);
	for (int i = 0; i < rules.count; i++) {
		Id source, target, dep;
		SolverRuleinfo type = solver_ruleinfo(solv, rules.elements[i], &source, &target, &dep);
		const char *text;

		if (type == SOLVER_RULE_JOB || type == SOLVER_RULE_LEARNT || type == SOLVER_RULE_UPDATE ||
		    type == SOLVER_RULE_FEATURE || type == SOLVER_RULE_INFARCH || type == SOLVER_RULE_BEST)
			continue;
		text = solver_problemruleinfo2str(solv, type, source, target, dep);
		if (all.n < REASON_MAX && !strv_has(&all, text))
			strv_push(&all, text);
	}
	queue_free(&rules);

	auto_free char *text = strv_join(&all, "; ");

	return err_set(e, ERR_USAGE, "%s", all.n ? text : solver_problem2str(solv, 1));
}

/* ---- the answer */

static int take_picks(struct depsolver *s, Solver *solv, struct depsolver_picks *out, struct err *e)
{
	CLEANUP(depsolver_picks_release) struct depsolver_picks picks = { 0 };
	Queue decisions;
	size_t n = 0;

	queue_init(&decisions);
	solver_get_decisionqueue(solv, &decisions);
	for (int i = 0; i < decisions.count; i++) {
		Id p = decisions.elements[i];
		const Solvable *each = p > 0 ? pool_id2solvable(s->pool, p) : NULL;

		if (!each || each->repo != s->there || ++n > DEPSOLVER_PICKS_MAX)
			continue;
		GROW(picks.items, picks.n);
		picks.items[picks.n++] = (struct depsolver_pick){
			xstrdup(pool_id2str(s->pool, each->name)), xstrdup(pool_id2str(s->pool, each->evr)),
			xstrdup(pool_id2str(s->pool, each->arch)),
		};
	}
	queue_free(&decisions);
	if (n > DEPSOLVER_PICKS_MAX)
		return err_set(e, ERR_LIMIT, "%zu packages are needed, %u can be carried as one: divide them, or name under "
			       "`present` what machines have", n, DEPSOLVER_PICKS_MAX);
	if (picks.n)
		qsort(picks.items, picks.n, sizeof(picks.items[0]), compare_picks);
	*out = picks;
	picks = (struct depsolver_picks){ 0 };
	return 0;
}

static Solver *new_solver(const struct depsolver *s, bool recommends)
{
	Solver *solv = solver_create(s->pool);

	solver_set_flag(solv, SOLVER_FLAG_IGNORE_RECOMMENDED, !recommends);
	solver_set_flag(solv, SOLVER_FLAG_YUM_OBSOLETES, s->kind == DEPSOLVER_RPM);
	return solv;
}

/* Solved again with other preferences as long as there are any, each package preferred once. */
static int solve(struct depsolver *s, Queue *jobs, bool recommends, struct depsolver_picks *out, struct err *e)
{
	Solver *solv = new_solver(s, recommends);
	int bad = solver_solve(solv, jobs), rc;
	Map seen;

	map_init(&seen, s->pool->nsolvables);
	for (unsigned i = 0; !bad && i < ROUNDS_MAX && correct_all(s, solv, &seen, jobs); i++) {
		solver_free(solv);
		solv = new_solver(s, recommends);
		bad = solver_solve(solv, jobs);
	}
	map_free(&seen);
	rc = bad ? told(s, solv, e) : take_picks(s, solv, out, e);
	solver_free(solv);
	return rc;
}

int depsolver_solve(struct depsolver *s, const struct strv *names, bool recommends, struct depsolver_picks *out, struct err *e)
{
	Queue jobs;
	int rc = 0;

	for (size_t i = 0; i < s->names.n; i++)
		make_present(s, s->names.items[i]);
	pool_addfileprovides(s->pool);
	pool_createwhatprovides(s->pool);
	queue_init(&jobs);
	for (size_t i = 0; i < names->n && rc == 0; i++)
		rc = add_job(s, names->items[i], &jobs, e);
	if (rc == 0)
		rc = solve(s, &jobs, recommends, out, e);
	queue_free(&jobs);
	return rc;
}
