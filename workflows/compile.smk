rule tables:
    input:
        [f"{OUT}/train/{job}.npz" for job in PLAN.jobs("train")],
        [f"{OUT}/measure/{job}.csv.gz" for job in PLAN.jobs("measure")],
        CLAIMS,
    output:
        TABLES,
        f"{OUT}/metrics.csv",
        f"{OUT}/timings.csv",
        f"{OUT}/manifest.json",
    log:
        f"{OUT}/logs/tables.log",
    benchmark:
        f"{OUT}/benchmarks/tables.tsv"
    conda:
        "environment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        rests_on=PLAN.fingerprint("tables"),
    shell:
        "python -m scorebench stage tables > {log} 2>&1"


# Figures of the comparison come several a job, too.
for figures in PLAN.batches("figure"):

    rule:
        name:
            f"figure_{figures[0]}"
        input:
            sorted({f"{OUT}/{path}" for figure in figures for path in PLAN.files_of_figure(figure)}),
        output:
            [f"{OUT}/figures/{figure}.{ext}" for figure in figures for ext in ("png", "pdf")],
        log:
            f"{OUT}/logs/figure/{figures[0]}.log",
        benchmark:
            f"{OUT}/benchmarks/figure/{figures[0]}.tsv"
        conda:
            "environment.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=10 * len(figures),
        params:
            jobs=" ".join(f"--job {figure}" for figure in figures),
            rests_on=[PLAN.fingerprint("figure", figure) for figure in figures],
        shell:
            "python -m scorebench stage figure {params.jobs} > {log} 2>&1"


rule page:
    input:
        TABLES,
        f"{OUT}/metrics.csv",
        CLAIMS,
        FIGURES,
    output:
        f"{OUT}/index.html",
    log:
        f"{OUT}/logs/page.log",
    benchmark:
        f"{OUT}/benchmarks/page.tsv"
    conda:
        "environment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        rests_on=PLAN.fingerprint("page"),
    shell:
        "python -m scorebench stage page > {log} 2>&1"
