rule tables:
    input:
        PLAN.paths(PLAN.inputs("tables")),
    output:
        PLAN.paths(PLAN.outputs("tables")),
        timing=f"{OUT}/timings/tables/tables.json",
    log:
        f"{OUT}/logs/tables.log",
    benchmark:
        f"{OUT}/benchmarks/tables.tsv"
    conda:
        "environment.yaml"
    threads: 1
    resources:
        mem_mb=MEMORY,
        runtime=LIMIT,
    params:
        rests_on=rests_on(PLAN, RETRIED, "tables"),
    shell:
        "python -m scorebench stage tables > {log} 2>&1"


# Figures of the comparison come several a job, too.
for figures in PLAN.batches("figure"):

    rule:
        name:
            f"figure_{figures[0]}"
        input:
            PLAN.paths(PLAN.needed("figure", figures)),
        output:
            [path for figure in figures for path in PLAN.paths(PLAN.outputs("figure", figure))],
            timing=[f"{OUT}/timings/figure/{figure}.json" for figure in figures],
        log:
            f"{OUT}/logs/figure/{figures[0]}.log",
        benchmark:
            f"{OUT}/benchmarks/figure/{figures[0]}.tsv"
        conda:
            "environment.yaml"
        threads: 1
        resources:
            mem_mb=MEMORY,
            runtime=LIMIT * len(figures),
        params:
            stage="figure",
            names=list(figures),
            jobs=" ".join(f"--job {figure}" for figure in figures),
            rests_on=rests_on(PLAN, RETRIED, "figure", *figures),
        shell:
            "python -m scorebench stage figure {params.jobs} > {log} 2>&1"


rule page:
    input:
        PLAN.paths(PLAN.inputs("page")),
    output:
        PLAN.paths(PLAN.outputs("page")),
        timing=f"{OUT}/timings/page/page.json",
    log:
        f"{OUT}/logs/page.log",
    benchmark:
        f"{OUT}/benchmarks/page.tsv"
    conda:
        "environment.yaml"
    threads: 1
    resources:
        mem_mb=MEMORY,
        runtime=LIMIT,
    params:
        rests_on=rests_on(PLAN, RETRIED, "page"),
    shell:
        "python -m scorebench stage page > {log} 2>&1"
