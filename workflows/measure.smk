rule measure:
    input:
        lambda wildcards: [f"{OUT}/train/{t.id}.npz" for t in PLAN.measure(wildcards.job).sources],
        lambda wildcards: [f"{OUT}/sample/{s.id}.npz" for s in PLAN.measure(wildcards.job).samples],
    output:
        f"{OUT}/measure/{{job}}.csv.gz",
        timing=f"{OUT}/timings/measure/{{job}}.json",
    log:
        f"{OUT}/logs/measure/{{job}}.log",
    benchmark:
        f"{OUT}/benchmarks/measure/{{job}}.tsv"
    priority: 1
    conda:
        "environment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=lambda wildcards: 5 + int(3 * PLAN.minutes("measure", wildcards.job)),
    params:
        rests_on=lambda wildcards: PLAN.fingerprint("measure", wildcards.job),
    shell:
        "python -m scorebench stage measure --job {wildcards.job} > {log} 2>&1"
