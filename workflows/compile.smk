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


rule figure:
    input:
        lambda wildcards: [f"{OUT}/{path}" for path in PLAN.files_of_figure(wildcards.job)],
    output:
        f"{OUT}/figures/{{job}}.png",
        f"{OUT}/figures/{{job}}.pdf",
    log:
        f"{OUT}/logs/figure/{{job}}.log",
    benchmark:
        f"{OUT}/benchmarks/figure/{{job}}.tsv"
    conda:
        "environment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        rests_on=lambda wildcards: PLAN.fingerprint("figure", wildcards.job),
    shell:
        "python -m scorebench stage figure --job {wildcards.job} > {log} 2>&1"


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
